"""How calls end: results and errors as JSON text that the guest wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from sandbox_machine import Machine

Run = Callable[..., Machine]


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("NaN", b"null"),
        ("[NaN, -Infinity, -0, undefined, () => 1, Symbol()]", b"[null,null,0,null,null,null]"),
        ("({a: undefined, b () {}, [Symbol()]: 1, c: 1e21})", b'{"c":1e+21}'),
        ("undefined", None),
        ("() => 1", None),
        ("Symbol('x')", None),
        ("({toJSON: () => undefined})", None),
        ("({toJSON: key => [key, 5]})", b'["",5]'),
        ("Buffer.from('hi')", b'{"type":"Buffer","data":[104,105]}'),
        ("new Date()", b'"2023-11-14T22:13:20.000Z"'),
        ("new Map([[1, 2]])", b"{}"),
        ("new Proxy([1, {a: 2}], {})", b'[1,{"a":2}]'),
        ("({get a () { return 1 }})", b'{"a":1}'),
        ("'\\ud800'", b'"\\ud800"'),
        ("'\\u2028é\\u0001'", b'"\xe2\x80\xa8\xc3\xa9\\u0001"'),
        ("Promise.resolve(1)", b"1"),
        ("({then (resolve) { resolve({then: r => r(7)}) }})", b"7"),
        ("new (class extends Promise {})(r => setTimeout(r, 5, 'late'))", b'"late"'),
    ],
)
def test_results(run: Run, expression: str, result: bytes | None) -> None:
    outcome = run(f"exports.f = () => ({expression})").call("f")
    assert (outcome.result, outcome.error) == (result, None)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("throw new RangeError('no')", {"name": "RangeError", "message": "no"}),
        (
            "throw new (class Mine extends Error { name = 'Mine' })('m')",
            {"name": "Mine", "message": "m"},
        ),
        (
            "throw Object.assign(new Error('x'), {code: 7})",
            {"name": "Error", "message": "x", "code": 7},
        ),
        (
            "throw Object.assign(new Error('x'), {code: 'E\"'})",
            {"name": "Error", "message": "x", "code": 'E"'},
        ),
        ("throw Object.assign(new Error('x'), {code: NaN})", {"name": "Error", "message": "x"}),
        ("throw Object.assign(new Error('x'), {code: {a: 1}})", {"name": "Error", "message": "x"}),
        ("throw new DOMException('d', 'AbortError')", {"name": "AbortError", "message": "d"}),
        ("throw new AggregateError([1], 'all')", {"name": "AggregateError", "message": "all"}),
        ("const e = new Error('x'); e.name = 5; throw e", {"name": "Error", "message": "x"}),
        (
            "const e = new Error(); Object.defineProperty(e, 'message', {get () { throw 1 }}); throw e",
            {"name": "Error", "message": ""},
        ),
        ("throw new Error('\\ud800')", {"name": "Error", "message": "\ud800"}),
        ("throw 'text'", {"value": "text"}),
        ("throw {a: 1}", {"value": {"a": 1}}),
        ("throw Object.create(Error.prototype)", {"value": {}}),
        ("throw null", {"value": None}),
        ("throw undefined", {}),
        ("throw 10n", {}),
        ("throw {toJSON () { throw 1 }}", {}),
        ("throw () => 1", {}),
        ("return Promise.reject(new Error('later'))", {"name": "Error", "message": "later"}),
        ("return Promise.reject(undefined)", {}),
        ("return {then (_, reject) { reject('no') }}", {"value": "no"}),
        ("return {get then () { throw new Error('then') }}", {"name": "Error", "message": "then"}),
        ("return {toJSON () { throw new Error('json') }}", {"name": "Error", "message": "json"}),
        ("return {get a () { throw new Error('getter') }}", {"name": "Error", "message": "getter"}),
        (
            "return new Proxy({}, {ownKeys () { throw new Error('trap') }})",
            {"name": "Error", "message": "trap"},
        ),
        ("return 10n", {"name": "TypeError", "message": "BigInt are forbidden in JSON.stringify"}),
        ("const a = {}; a.a = a; return a", {"name": "TypeError", "message": "circular reference"}),
    ],
)
def test_errors_are_told_as_the_log_has_them_and_undo_nothing(
    run: Run, body: str, error: object
) -> None:
    machine = run(f"let n = 0; exports.n = () => n; exports.f = () => {{ n++; {body} }}")
    outcome = machine.call("f")
    assert outcome.error is not None
    assert json.loads(outcome.error) == error
    assert not outcome.undone
    assert machine.value("n") == 1


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("\n\nexports.f = () => {\n  throw new Error('x')\n}", [4]),
        ("#!/usr/bin/env node\nexports.f = () => {\n  null.x\n}", [3]),
        ("\ufeff#!/usr/bin/env node\r\nexports.f = () => {\r\n  null.x\r\n}", [3]),
        ("const g = () => {\n  throw new Error('x')\n}\nexports.f = () => {\n  g()\n}", [2, 5]),
        ("exports.f = async () => {\n  await 1\n  throw new Error('x')\n}", [3]),
        (
            "exports.f = () => new Promise((_, no) => {\n  setTimeout(() => {\n    no(new Error('x'))\n  })\n})",
            [3],
        ),
        ("exports.f = async () => {\n  await System.files.readFile('/no')\n}", [2]),
        ("exports.f = () =>\n  [1].map(() => {\n    throw new Error('x')\n  })", [3, 2]),
    ],
)
def test_stacks_show_the_scripts_own_lines_and_nothing_of_the_engine(
    run: Run, code: str, lines: list[int]
) -> None:
    stack = run(code).call("f").stack
    assert stack is not None
    assert [int(line) for line in re.findall(r"script\.js:(\d+):\d+", stack)] == lines
    assert "nodevms" not in stack


def test_a_stack_begins_with_the_error_as_in_node(run: Run) -> None:
    machine = run(
        """exports.own = () => new TypeError('why').stack
           exports.host = async () => { try { await System.files.readFile('/no') } catch (e) { return e.stack } }
           exports.set = () => { const e = new Error('a'); e.stack += '\\nmore'; return e.stack }
           exports.odd = () => Object.defineProperty(new Error(), 'message', {get () { throw 1 }}).stack"""
    )
    assert machine.value("own") == "TypeError: why\n    at <anonymous> (script.js:1:25)"
    assert str(machine.value("host")).startswith(
        "NotFoundError: no such file\n    at <anonymous> (script.js:2:"
    )
    assert str(machine.value("set")).endswith("\nmore")
    assert str(machine.value("odd")).startswith("Error\n    at ")


def test_frames_do_not_give_their_functions_away(run: Run) -> None:
    machine = run(
        """exports.f = async () => {
             let members
             Error.prepareStackTrace = (error, frames) => { members = frames[0].getFunction }
             try { await System.files.readFile('/no') } catch {}
             return [typeof members, typeof new Error().stack]
           }"""
    )
    assert machine.value("f") == ["undefined", "undefined"]
