"""Timers in virtual time, microtasks, and what a call waits for."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from sandbox_machine import TIME_MS, Machine

from nodevms.sandbox import Limits

Run = Callable[..., Machine]


def ordered(run: Run, body: str) -> object:
    return run(
        f"exports.f = () => new Promise(done => {{ const seen = []; const s = x => () => seen.push(x); {body} }})"
    ).value("f")


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (
            "setTimeout(() => done(seen), 1e6); setTimeout(s('b'), 20); setTimeout(s('a'), 10); setImmediate(s('now'))",
            ["now", "a", "b"],
        ),
        ("setTimeout(s(1), 5); setTimeout(s(2), 5); setTimeout(() => done(seen), 5)", [1, 2]),
        (
            "setTimeout(s('x'), -5); setTimeout(s('y'), NaN); setTimeout(s('z'), 2 ** 40); setTimeout(() => done(seen), 2)",
            ["x", "y", "z"],
        ),
        ("setTimeout((...a) => { seen.push(...a); done(seen) }, 1, 'p', 'q')", ["p", "q"]),
        (
            "setTimeout(() => { s('t')(); Promise.resolve().then(s('micro')); setTimeout(() => done(seen)) }); setTimeout(s('u'))",
            ["t", "micro", "u"],
        ),
        (
            "let n = 0; const i = setInterval(() => { s(++n)(); if (n === 3) { clearInterval(i); done(seen) } }, 5)",
            [1, 2, 3],
        ),
        (
            "const t = setTimeout(s('no'), 1); clearTimeout(t); const u = setImmediate(s('no')); clearImmediate(u); setTimeout(() => done(seen), 9)",
            [],
        ),
        (
            "const t = setTimeout(s('no'), 1); clearTimeout(+t); const u = setTimeout(s('no'), 1); clearInterval(`${u}`); setTimeout(() => done(seen), 9)",
            [],
        ),
        (
            "clearTimeout(); clearTimeout({}); clearTimeout(12345); clearTimeout('x'); clearTimeout(null); done(seen)",
            [],
        ),
        (
            "const t = setTimeout(s('late'), 5); setTimeout(() => t.refresh(), 3); setTimeout(s('on time'), 6); setTimeout(() => done(seen), 20)",
            ["on time", "late"],
        ),
        (
            "const t = setTimeout(s('no'), 5).ref().unref(); seen.push(t.hasRef()); t.close(); setTimeout(() => done(seen), 20)",
            [True],
        ),
        (
            "setTimeout(() => { throw new Error('in a timer') }, 1); setTimeout(() => done(seen), 2)",
            [],
        ),
        ("queueMicrotask(s('m')); s('sync')(); setTimeout(() => done(seen))", ["sync", "m"]),
    ],
)
def test_timers_fire_in_order_of_due_time_and_creation(
    run: Run, body: str, seen: list[object]
) -> None:
    assert ordered(run, body) == seen


@pytest.mark.parametrize("callback", ["'code'", "undefined", "{}"])
def test_what_is_no_function_is_refused(run: Run, callback: str) -> None:
    assert run(f"exports.f = () => setTimeout({callback})").error("f")["name"] == "TypeError"


def test_timers_left_over_are_dropped_with_the_call(run: Run) -> None:
    machine = run(
        """let fired = 0, old
           setTimeout(() => fired++)
           exports.f = () => { old = setTimeout(() => fired++, 5); setInterval(() => fired++, 1); return fired }
           exports.g = async () => { old.refresh(); clearTimeout(old); await new Promise(r => setTimeout(r, 50)); return fired }
           exports.id = () => { const id = +setTimeout(() => {}); return id }"""
    )
    assert machine.value("f") == 0
    assert machine.value("g") == 0
    assert machine.value("id") != machine.value("id")


def test_timers_that_wait_are_limited(run: Run) -> None:
    machine = run(
        """exports.f = n => { for (let i = 0; i < n; i++) setTimeout(() => {}); return n }
           exports.chain = async n => { for (let i = 0; i < n; i++) await new Promise(r => setTimeout(r)); return n }""",
        timers=10,
    )
    assert machine.value("f", 10) == 10
    assert machine.error("f", 11) == {
        "name": "RangeError",
        "message": "A call may have 10 timers waiting at once",
    }
    assert machine.value("chain", 100) == 100


@pytest.mark.parametrize(
    "body",
    [
        "return new Promise(() => {})",
        "return new Promise(r => r(new Promise(() => {})))",
        "return {then () {}}",
        "return (async () => { await new Promise(() => {}) })()",
        "setTimeout(() => { throw new Error('the only one who could settle it') }); return new Promise(() => {})",
        "const t = setTimeout(() => {}); clearTimeout(t); return new Promise(r => { t.refresh() })",
    ],
)
def test_a_promise_that_never_settles_is_an_error_and_undone(run: Run, body: str) -> None:
    machine = run(f"let n = 0; exports.n = () => n; exports.f = () => {{ n++; {body} }}")
    outcome = machine.call("f")
    assert outcome.undone
    assert outcome.error == (
        b'{"name":"LimitError","message":"The promise that the call returned never settles",'
        b'"code":"ERR_NEVER_SETTLED"}'
    )
    assert machine.value("n") == 0


def test_a_promise_kept_from_an_earlier_call_may_be_settled_by_a_later_one(run: Run) -> None:
    machine = run(
        """let settle; const kept = new Promise(r => { settle = r })
           exports.wait = async () => (await kept) + Date.now()
           exports.settle = x => settle(x)"""
    )
    assert machine.call("wait").undone
    machine.value("settle", 5)
    assert machine.value("wait") == TIME_MS + 5


def test_as_many_timers_as_may_wait_fit_into_a_calls_gas(run: Run) -> None:
    machine = run("""
      exports.wait = count => new Promise(resolve => {
        let fired = 0
        for (let i = 0; i < count; i++) setTimeout(() => { if (++fired === count) resolve(fired) }, i * 7919 % 1000)
      })
    """)
    most = Limits().timers
    assert machine.value("wait", most) == most
    assert machine.error("wait", most + 1)["name"] == "RangeError"


def test_timers_of_any_delays_fire_by_due_time_and_then_by_creation(run: Run) -> None:
    machine = run("""
      exports.order = (delays, cleared) => new Promise(resolve => {
        const fired = []
        const timers = delays.map((delay, at) => setTimeout(() => fired.push(at), delay))
        for (const at of cleared) clearTimeout(at % 2 ? timers[at] : +timers[at])
        setTimeout(() => resolve(fired), 5000)
      })
    """)
    random = Random(1)
    for count in (1, 2, 3, 10, 100, 500):
        delays = [random.randrange(1, 40) for _ in range(count)]
        cleared = random.sample(range(count), count // 3)
        wanted = sorted(set(range(count)) - set(cleared), key=lambda at: (delays[at], at))
        assert machine.value("order", delays, cleared) == wanted
