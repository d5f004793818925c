"""What a script finds, what it does not find, and what it cannot change."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sandbox_machine import TIME_MS, Machine

Run = Callable[..., Machine]


def test_the_globals_beyond_the_language(run: Run) -> None:
    machine = run("exports.f = () => Object.getOwnPropertyNames(globalThis)")
    names = set(machine.value("f"))  # type: ignore[call-overload]
    assert {
        *("System", "console", "Buffer", "URL", "URLSearchParams", "TextEncoder", "TextDecoder"),
        *("setTimeout", "setInterval", "setImmediate", "clearTimeout", "clearInterval"),
        *("clearImmediate", "queueMicrotask", "structuredClone", "atob", "btoa", "DOMException"),
        *("global", "AbortController", "AbortSignal", "Event", "EventTarget"),
    } <= names
    assert not names & {
        *("process", "require", "module", "exports", "Intl", "Temporal", "WeakRef"),
        *("FinalizationRegistry", "SharedArrayBuffer", "Atomics", "performance", "WebAssembly"),
        *("fetch", "XMLHttpRequest", "Worker", "print", "std", "os", "scriptArgs", "gc"),
    }
    assert not [name for name in names if "core-js" in name]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (
            "[typeof process, typeof require, global === globalThis]",
            ["undefined", "function", True],
        ),
        ("(0, eval)('typeof require')", "undefined"),
        (
            "[typeof __filename, typeof __dirname, typeof module, typeof exports]",
            ["undefined", "undefined", "object", "object"],
        ),
        ("(function () { return this }).call() === globalThis", True),
        ("new URL('../b?d=1', 'http://ü.example/a/').href", "http://xn--tda.example/b?d=1"),
        ("new URLSearchParams({a: 'x y'}).toString()", "a=x+y"),
        ("new TextDecoder().decode(new TextEncoder().encode('é'))", "é"),
        ("new TextDecoder('utf-16le').decode(new Uint8Array([65, 0]))", "A"),
        ("structuredClone({a: [new Date(5)]}).a[0].getTime()", 5),
        ("atob(btoa('x'))", "x"),
        ("Buffer.concat([Buffer.from('é'), Buffer.alloc(1)]).toString('hex')", "c3a900"),
        ("(0, eval)('1 + 1') + new Function('a', 'return a')(3)", 5),
        ("[typeof Date.now(), new Date().getTimezoneOffset()]", ["number", 0]),
        ("[Date.now() - Date.parse(Date()), new Date(2020, 0, 1).getTime()]", [0, 1577836800000]),
        ("new Date().toLocaleString()", "11/14/2023, 10:13:20 PM"),
        ("['ä', 'b', 'a'].sort()", ["a", "b", "ä"]),
    ],
)
def test_globals_do_what_they_do_in_node(run: Run, expression: str, value: object) -> None:
    assert run(f"exports.f = () => ({expression})").value("f") == value


def test_time_stands_still_during_a_call(run: Run) -> None:
    machine = run(
        """exports.f = async () => {
             const start = Date.now()
             for (let i = 0; i < 1e5; i++);
             await new Promise(r => setTimeout(r, 1e6))
             return [start, Date.now(), +new Date()]
           }"""
    )
    assert machine.value("f") == [TIME_MS] * 3
    assert machine.call("f", time_ms=TIME_MS + 5).result == b"[%d,%d,%d]" % ((TIME_MS + 5,) * 3)


def xoshiro(seed: int, count: int) -> list[float]:
    """Return what docs/spec.md says that Math.random gives."""
    mask, state = (1 << 64) - 1, []
    for _ in range(4):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
        state.append(z ^ (z >> 31))

    def left(x: int, k: int) -> int:
        return (x << k | x >> (64 - k)) & mask

    numbers = []
    for _ in range(count):
        numbers.append((left(state[1] * 5 & mask, 7) * 9 & mask) >> 11)
        t = state[1] << 17 & mask
        state[2] ^= state[0]
        state[3] ^= state[1]
        state[1] ^= state[2]
        state[0] ^= state[3]
        state[2] ^= t
        state[3] = left(state[3], 45)
    return [number / 2**53 for number in numbers]


def test_randomness_comes_from_one_seed_a_call(run: Run) -> None:
    machine = run(
        "exports.f = () => [Math.random(), Math.random()]; exports.g = () => 1"
        "; const load = Math.random(); exports.load = () => load"
    )
    assert machine.host.seeds == 1
    first = machine.value("f")
    assert machine.host.seeds == 2
    assert machine.value("f") == first
    machine.value("g")
    assert machine.host.seeds == 3
    assert first[0] == machine.value("load")  # type: ignore[index]
    assert first == xoshiro(0x0123456789ABCDEF, 2)


@pytest.mark.parametrize(
    "change",
    [
        "System = 1",
        "delete globalThis.System",
        "globalThis.System = {}",
        "System.files = {}",
        "System.files.readFile = () => 'stolen'",
        "System.files.readFile.call = 1",
        "System.caller = {id: 'eve'}",
        "System.caller.id = 'eve'",
        "System.caller.role = 'admin'",
        "Object.defineProperty(System, 'caller', {value: 1})",
        "Object.setPrototypeOf(System, {caller: 1})",
    ],
)
def test_system_cannot_be_changed(run: Run, change: str) -> None:
    machine = run(
        f"exports.f = () => {{ 'use strict'; {change} }}; exports.g = () => "
        "[System.caller, typeof System.files.readFile, Object.keys(System)]"
    )
    assert machine.error("f")["name"] == "TypeError"
    assert machine.value("g", caller="bob") == [
        {"id": "bob"},
        "function",
        ["files", "readonly", "caller"],
    ]


def test_the_caller_belongs_to_the_call(run: Run) -> None:
    machine = run(
        """let kept, after
           exports.f = () => { kept = System.caller; new Promise(r => { after = r }).then(() => { after = System.caller.id }); return kept.id }
           exports.g = async () => { after(); await null; return [kept.id, after, kept === System.caller, Object.isFrozen(System.caller)] }"""
    )
    assert machine.value("f", caller="bob") == "bob"
    assert machine.value("g", caller="eve") == ["bob", "eve", False, True]
    assert machine.value("f") is None
    assert machine.value("f", caller="") == ""
    assert machine.value("f", caller="ö\0'\"") == "ö\0'\""
