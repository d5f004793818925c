"""The sandbox through its public door, with a host that keeps files in a dictionary."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from nodevms.sandbox import Engine, Limits, Meter, Operation, Outcome, Sandbox
from nodevms.vm.engine_thread import on_engine_thread

T = TypeVar("T")
TIME_MS = 1_700_000_000_000


class DictHost:
    """Keeps files in memory and notes what was printed."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.printed: list[tuple[str, str]] = []
        self.seeds = 0
        self.charge = 0

    def call(self, operation: int, request: bytes, meter: Meter) -> bytes:
        if operation == Operation.SEED:
            self.seeds += 1
            return b"0123456789abcdef"
        if operation == Operation.CONSOLE:
            level, text = json.loads(request)
            self.printed.append((level, text))
            return b""
        meter.charge(self.charge)
        text, _, data = request.partition(b"\0")
        name, *arguments = json.loads(text)
        if name == "writeFile":
            self.files[arguments[0]] = data
        if name == "readFile":
            if arguments[0] not in self.files:
                return b'{"error":{"name":"NotFoundError","message":"no such file"}}'
            return b'{"value":null}\0' + self.files[arguments[0]]
        return b'{"value":null}'


class Machine:
    """A started script whose calls run on a thread with the engine's stack."""

    def __init__(self, engine: Engine, code: str, limits: Limits) -> None:
        self.host = DictHost()
        self.sandbox = Sandbox(engine, limits)
        self.started = on_engine_thread(
            lambda: self.sandbox.start(code, None, time_ms=TIME_MS, host=self.host)
        )

    def call(self, method: str, *arguments: object, caller: str | None = None) -> Outcome:
        text = json.dumps(arguments).encode()
        return on_engine_thread(
            lambda: self.sandbox.call(method, text, caller=caller, time_ms=TIME_MS, host=self.host)
        )

    def value(self, method: str, *arguments: object, caller: str | None = None) -> object:
        outcome = self.call(method, *arguments, caller=caller)
        assert outcome.error is None, outcome.error
        return None if outcome.result is None else json.loads(outcome.result)


@pytest.fixture
def run(engine: Engine) -> Iterator[Callable[..., Machine]]:
    machines: list[Machine] = []

    def start(code: str, **limits: int) -> Machine:
        machines.append(Machine(engine, code, Limits(**limits)))
        return machines[-1]

    yield start
    for machine in machines:
        machine.sandbox.close()


def test_state_in_memory_lives_from_call_to_call(run: Callable[..., Machine]) -> None:
    machine = run("var i = 0\nexports.increment = () => ++i")
    assert [machine.value("increment") for _ in range(3)] == [1, 2, 3]


def test_exports_are_listed_with_their_parameters(run: Callable[..., Machine]) -> None:
    machine = run(
        "module.exports = {init () {}, a (x, {y}, z = [1, 2], ...rest) {}, b: async q => q, n: 1}"
    )
    assert [(e.name, e.parameters) for e in machine.sandbox.exports] == [
        ("a", ("x", "arg1", "z", "rest")),
        ("b", ("q",)),
    ]


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("NaN", b"null"),
        ("undefined", None),
        ("() => 1", None),
        ("Buffer.from('hi')", b'{"type":"Buffer","data":[104,105]}'),
        (
            "[typeof process, typeof require, typeof global]",
            b'["undefined","undefined","undefined"]',
        ),
        ("[Date.now(), new Date().getTimezoneOffset()]", b"[1700000000000,0]"),
        ("new URL('http://a.b/c?d=1').searchParams.get('d')", b'"1"'),
        ("new TextDecoder().decode(new TextEncoder().encode('é'))", b'"\xc3\xa9"'),
        ("structuredClone({a: [1]})", b'{"a":[1]}'),
        ("atob(btoa('x'))", b'"x"'),
        ("'\\ud800'", b'"\\ud800"'),
        ("[typeof WeakRef, typeof SharedArrayBuffer]", b'["undefined","undefined"]'),
    ],
)
def test_results_are_json_text_of_the_guest(
    run: Callable[..., Machine], expression: str, result: bytes | None
) -> None:
    outcome = run(f"exports.f = () => ({expression})").call("f")
    assert (outcome.result, outcome.error) == (result, None)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("throw new RangeError('no')", {"name": "RangeError", "message": "no"}),
        (
            "throw Object.assign(new Error('x'), {code: 7})",
            {"name": "Error", "message": "x", "code": 7},
        ),
        ("throw 'text'", {"value": "text"}),
        ("throw {a: 1}", {"value": {"a": 1}}),
        ("throw undefined", {}),
        ("return Promise.reject(new Error('later'))", {"name": "Error", "message": "later"}),
    ],
)
def test_errors_are_told_as_the_log_has_them(
    run: Callable[..., Machine], body: str, error: object
) -> None:
    outcome = run(f"exports.f = () => {{ {body} }}").call("f")
    assert outcome.error is not None
    assert json.loads(outcome.error) == error
    assert not outcome.undone


@pytest.mark.parametrize("body", ["return 10n", "const a = {}; a.a = a; return a"])
def test_a_result_without_json_is_an_ordinary_error(run: Callable[..., Machine], body: str) -> None:
    outcome = run(f"exports.f = () => {{ {body} }}").call("f")
    assert outcome.error is not None
    assert json.loads(outcome.error)["name"] == "TypeError"
    assert not outcome.undone


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("for (;;);", "ERR_GAS"),
        ("const a = []; for (;;) a.push(new Array(1000).fill(a.length))", "ERR_GAS"),
        ("return new Promise(() => {})", "ERR_NEVER_SETTLED"),
        ("return 'x'.repeat(2 ** 20)", "ERR_RESULT_SIZE"),
    ],
)
def test_a_stopped_call_is_undone_whole(run: Callable[..., Machine], body: str, code: str) -> None:
    machine = run(
        f"let n = 0; exports.add = () => ++n; exports.f = () => {{ n = 100; {body} }}",
        gas=1_000_000_000,
    )
    assert machine.value("add") == 1
    for _ in range(2):
        outcome = machine.call("f")
        assert outcome.undone
        assert outcome.error is not None
        assert json.loads(outcome.error)["code"] == code
    assert machine.value("add") == 2


def test_endless_recursion_is_an_error_that_the_script_can_catch(
    run: Callable[..., Machine],
) -> None:
    machine = run(
        "exports.f = () => { const g = () => g(); try { g() } catch (e) { return e.name } }"
    )
    assert machine.value("f") == "RangeError"


def test_timers_fire_in_virtual_time_and_in_order(run: Callable[..., Machine]) -> None:
    machine = run(
        """exports.f = () => new Promise(resolve => {
             const seen = []
             setTimeout(() => { seen.push('b'); resolve(seen) }, 1e6)
             setTimeout(() => seen.push('a'), 10)
             setImmediate(() => seen.push('now'))
             setTimeout(() => { throw new Error('in a timer') }, 20)
           })"""
    )
    assert machine.value("f") == ["now", "a", "b"]
    assert any("in a timer" in text for _, text in machine.host.printed)


def test_a_seed_is_asked_for_once_a_call(run: Callable[..., Machine]) -> None:
    machine = run("exports.f = () => [Math.random(), Math.random()]; exports.g = () => 1")
    first = machine.value("f")
    assert machine.host.seeds == 1
    assert machine.value("f") == first
    machine.value("g")
    assert machine.host.seeds == 2


def test_the_caller_is_frozen_and_fresh(run: Callable[..., Machine]) -> None:
    machine = run(
        "'use strict'\nexports.f = () => { try { System.caller.id = 'eve' } catch (e) {} return System.caller.id }"
    )
    assert machine.value("f", caller="bob") == "bob"
    assert machine.value("f") is None


def test_files_take_the_encodings_of_the_tutorial(run: Callable[..., Machine]) -> None:
    machine = run(
        """const fs = System.files
           exports.write = async (...a) => fs.writeFile(...a)
           exports.read = async (...a) => fs.readFile(...a)
           exports.missing = async () => { try { await fs.readFile('/no') } catch (e) { return [e.name, e instanceof Error] } }"""
    )
    assert machine.value("read", "/counter", "json") is None
    machine.value("write", "/counter", 7)
    assert machine.host.files["/counter"] == b"7"
    assert machine.value("read", "/counter", "json") == 7
    machine.value("write", "/photo", "aGk=", "base64")
    assert machine.host.files["/photo"] == b"hi"
    assert machine.value("read", "/photo", {"encoding": "hex"}) == "6869"
    assert machine.value("read", "/photo", "binary") == {"type": "Buffer", "data": [104, 105]}
    assert machine.value("missing") == ["NotFoundError", True]


def test_host_work_is_paid_for_before_it_is_done(run: Callable[..., Machine]) -> None:
    machine = run("exports.f = () => System.files.writeFile('/a', 'x')", gas=10_000_000)
    machine.host.charge = 20_000_000
    outcome = machine.call("f")
    assert outcome.undone
    assert machine.host.files == {}


def test_stacks_show_the_scripts_own_lines(run: Callable[..., Machine]) -> None:
    outcome = run("\n\nexports.f = () => {\n  throw new Error('x')\n}").call("f")
    assert outcome.stack is not None
    assert re.search(r"script\.js:4:", outcome.stack)


def test_a_syntax_error_names_line_and_column(run: Callable[..., Machine]) -> None:
    machine = run("var a = 1\nexports.x = ;\n")
    assert machine.started.position == (2, 13)


@pytest.mark.parametrize(
    "attack",
    [
        "Array.prototype[Symbol.iterator] = () => { throw 1 }",
        "Object.prototype.then = f => f('stolen')",
        "Promise.prototype.then = () => { throw 1 }",
        "JSON.stringify = () => 'stolen'; JSON.parse = () => { throw 1 }",
        "Function.prototype.call = Function.prototype.apply = () => 'stolen'",
        "Object.prototype.toJSON = () => 'stolen'; delete Object.prototype.toJSON",
    ],
)
def test_poisoned_prototypes_leave_other_calls_alone(
    run: Callable[..., Machine], attack: str
) -> None:
    machine = run(f"exports.attack = () => {{ {attack} }}; exports.f = x => x + 1")
    machine.call("attack")
    assert machine.value("f", 1) == 2


def test_constructor_chains_reach_nothing_of_the_host(run: Callable[..., Machine]) -> None:
    machine = run(
        "exports.f = () => { const g = this.constructor.constructor('return typeof process + typeof globalThis.System'); return g() }"
    )
    assert machine.value("f") == "undefinedobject"


def test_gas_does_not_depend_on_undone_calls_before(engine: Engine) -> None:
    code = """let n = 0; const keep = []
              exports.work = k => { for (let i = 0; i < k; i++) keep.push({i, s: 'x'.repeat(i % 50)}); return keep.length }
              exports.loop = () => { for (;;) keep.push([keep.length]) }"""

    def play() -> list[tuple[int, bytes | None]]:
        machine = Machine(engine, code, Limits(gas=30_000_000))
        try:
            steps = [
                ("work", 100),
                ("loop",),
                ("work", 2000),
                ("loop",),
                ("work", 5),
                ("work", 900),
            ]
            return [
                (outcome.gas, outcome.result)
                for name, *arguments in steps
                for outcome in [machine.call(name, *arguments)]
            ]
        finally:
            machine.sandbox.close()

    assert play() == play()


def test_the_compiled_cache_is_private_and_checked(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("cache") / "engine"
    first = Engine(folder)
    (cached,) = folder.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
    damaged = bytearray(cached.read_bytes())
    damaged[1000] ^= 1
    cached.write_bytes(damaged)
    assert Engine(folder).id == first.id
    assert cached.read_bytes() != bytes(damaged)


def test_undoing_replays_what_the_host_charged(run: Callable[..., Machine]) -> None:
    machine = run(
        "let n = 0; exports.write = async () => { await System.files.writeFile('/a', 'x'); return ++n }"
        "; exports.never = () => { n = 9; return new Promise(() => {}) }"
    )
    machine.host.charge = 123_456
    assert machine.value("write") == 1
    assert machine.call("never").undone
    assert machine.call("never").undone
    assert machine.value("write") == 2
