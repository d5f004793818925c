"""What a script prints, as the host's log gets it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sandbox_machine import Machine

Run = Callable[..., Machine]


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        (
            "console.log('a', 1, {b: [2]}, null, undefined)",
            [("log", "a 1 { b: [ 2 ] } null undefined")],
        ),
        (
            "console.info(1); console.warn(2); console.error(3); console.debug(4)",
            [("info", "1"), ("warn", "2"), ("error", "3"), ("debug", "4")],
        ),
        (
            "console.log('%s is %d%%: %j %o', 'x', '5', {a: 1}, [1])",
            [("log", 'x is 5%: {"a":1} [ 1 ]')],
        ),
        (
            "console.log(-0, 5n, Symbol('s'), () => 1, class A {}, /a/g, new Date(0))",
            [
                (
                    "log",
                    "-0 5n Symbol(s) [Function (anonymous)] [Function: A] /a/g 1970-01-01T00:00:00.000Z",
                )
            ],
        ),
        (
            "console.log(new Map([[1, {a: 2}]]), new Set([1]), Buffer.from('a'), new Uint8Array(2))",
            [("log", "Map(1) { 1 => { a: 2 } } Set(1) { 1 } <Buffer 61> Uint8Array(2) [ 0, 0 ]")],
        ),
        (
            "const o = {}; o.o = o; console.log(o, [,1], {get a () { throw 1 }})",
            [("log", "{ o: [Circular] } [ <1 empty item>, 1 ] { a: [Getter] }")],
        ),
        (
            "console.log(new Proxy({a: 1}, {get () { throw 1 }, ownKeys () { throw 1 }}))",
            [("log", "{ a: 1 }")],
        ),
        (
            "console.log(Promise.resolve(1), Promise.reject(2).catch(() => 0) && 3)",
            [("log", "Promise { 1 } 3")],
        ),
        ("console.trace('here')", [("error", "Trace: here\n    at <anonymous> (script.js:1:28)")]),
        (
            "console.assert(1, 'fine'); console.assert(0, 'not', 'fine'); console.assert()",
            [("error", "Assertion failed: not fine"), ("error", "Assertion failed")],
        ),
        (
            "console.group('G'); console.log('a\\nb'); console.group(); console.log('c'); console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('d')",
            [("log", "G"), ("log", "  a\n  b"), ("log", "    c"), ("log", "d")],
        ),
        (
            "console.count(); console.count('x'); console.count(); console.countReset(); console.count()",
            [("log", "default: 1"), ("log", "x: 1"), ("log", "default: 2"), ("log", "default: 1")],
        ),
        (
            "console.time('t'); console.timeLog('t', 1); console.timeEnd('t'); console.timeEnd('t')",
            [
                ("log", "t: 0ms 1"),
                ("log", "t: 0ms"),
                ("warn", "No such label 't' for console.timeEnd()"),
            ],
        ),
        ("console.dir({a: 1}); console.dirxml(1)", [("log", "{ a: 1 }"), ("log", "1")]),
        (
            "console.table([{a: 1, b: 'x'}, {a: 2}, 3])",
            [
                (
                    "log",
                    "┌─────────┬───┬─────┬────────┐\n│ (index) │ a │ b   │ Values │\n├─────────┼───┼─────┼────────┤\n│ 0       │ 1 │ 'x' │        │\n│ 1       │ 2 │     │        │\n│ 2       │   │     │ 3      │\n└─────────┴───┴─────┴────────┘",
                )
            ],
        ),
        (
            "console.table({r: {y: 1, z: 2}}, ['z']); console.table('text')",
            [
                (
                    "log",
                    "┌─────────┬───┐\n│ (index) │ z │\n├─────────┼───┤\n│ r       │ 2 │\n└─────────┴───┘",
                ),
                ("log", "text"),
            ],
        ),
        (
            "console.log(new Error('a', {cause: 5}))",
            [("log", "Error: a\n    at <anonymous> (script.js:1:37) { [cause]: 5 }")],
        ),
    ],
)
def test_values_are_shown_as_node_shows_them(
    run: Run, code: str, printed: list[tuple[str, str]]
) -> None:
    machine = run(f"exports.f = () => {{ {code} }}")
    machine.value("f")
    assert machine.host.printed == printed


def test_groups_end_with_the_call(run: Run) -> None:
    machine = run("exports.f = () => { console.log('a'); console.group() }")
    machine.value("f")
    machine.value("f")
    assert machine.host.printed == [("log", "a"), ("log", "a")]


def test_a_call_prints_up_to_its_limit_and_no_more(run: Run) -> None:
    machine = run(
        "exports.f = () => { for (let i = 0; i < 1000; i++) console.log('0123456789') }",
        console_bytes=200,
    )
    for _ in range(2):
        machine.host.printed.clear()
        machine.value("f")
        assert len(machine.host.printed) == 11
        assert "limit of this call" in machine.host.printed[-1][1]


def test_one_line_is_cut_to_a_length_that_a_log_can_take(run: Run) -> None:
    machine = run(
        "exports.f = () => { console.log('x'.repeat(1e6)); console.log(new Array(1e6).fill(1)) }"
    )
    machine.value("f")
    assert [len(text) < 20_000 for _, text in machine.host.printed] == [True, True]
    assert machine.host.printed[0][1].endswith("983616 more characters")


def test_what_nobody_caught_goes_to_the_console(run: Run) -> None:
    machine = run(
        """exports.f = () => new Promise(resolve => {
             setTimeout(() => { throw undefined }, 1)
             setTimeout(resolve, 2)
             queueMicrotask(() => { throw new Error('micro') })
             Promise.reject(new Error('alone'))
             const late = Promise.reject(1); setTimeout(() => late.catch(() => {}))
             Promise.reject(2).catch(() => {})
           })"""
    )
    assert machine.value("f") is None
    assert [text.split("\n")[0] for _, text in machine.host.printed] == [
        "Uncaught Error: micro",
        "Uncaught (in promise) Error: alone",
        "Uncaught (in promise) 1",
        "Uncaught undefined",
    ]
