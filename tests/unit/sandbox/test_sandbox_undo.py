"""Undoing calls: nothing of them stays, and nothing later shows that there was one."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sandbox_machine import Machine

from nodevms.errors import LocalProtocolError
from nodevms.sandbox import Engine, EngineFaultError, Limits, Outcome, journal
from nodevms.vm.engine_thread import on_engine_thread

Run = Callable[..., Machine]

CODE = """
let n = 0; const keep = []
exports.work = k => { for (let i = 0; i < k; i++) keep.push({i, s: 'x'.repeat(i % 50)}); return keep.length }
exports.loop = () => { for (;;) keep.push([keep.length]) }
exports.grow = () => { for (;;) keep.push(new ArrayBuffer(1e6)) }
exports.never = () => { keep.length = 0; return new Promise(() => {}) }
exports.large = () => { keep.push('x'); return 'x'.repeat(2e6) }
exports.write = async () => { await System.files.writeFile('/a', String(++n)); return System.files.readFile('/a') }
exports.random = () => Math.random()
exports.throws = () => { keep.push(++n); throw new Error('stays') }
exports.sites = () => { Error.prepareStackTrace = (_, sites) => keep.push(sites); new Error().stack; delete Error.prepareStackTrace }
exports.timer = () => new Promise(r => setTimeout(() => r(keep.push(n)), 5))
"""
STEPS: list[tuple[object, ...]] = [
    *(("work", 100), ("loop",), ("work", 2000), ("grow",), ("write",), ("never",), ("random",)),
    *(("large",), ("sites",), ("throws",), ("work", 5), ("timer",), ("loop",), ("write",)),
    *(("sites",), ("work", 900), ("sites",)),
]
UNDONE = {"loop", "grow", "never", "large"}


def play(engine: Engine, steps: list[tuple[object, ...]]) -> tuple[list[Outcome], str]:
    """Return what the calls came to, and the hash of the memory at the end."""
    machine = Machine(engine, CODE, Limits(gas=100_000_000, memory_bytes=24 << 20))
    machine.host.charge = 12_345
    try:
        outcomes = [machine.call(*step) for step in steps]  # type: ignore[arg-type]
        return outcomes, machine.sandbox.heap_hash()
    finally:
        machine.sandbox.close()


def test_calls_that_stay_do_not_show_what_was_undone_between_them(engine: Engine) -> None:
    with_undone, heap = play(engine, STEPS)
    assert {
        str(name) for (name, *_), o in zip(STEPS, with_undone, strict=True) if o.undone
    } == UNDONE
    stayed = [o for o in with_undone if not o.undone]
    assert (stayed, heap) == play(engine, [step for step in STEPS if step[0] not in UNDONE])


@pytest.mark.parametrize("entries", [1, 2, 3])
def test_nothing_shows_when_snapshots_are_taken(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    never = play(engine, STEPS)
    monkeypatch.setattr(journal, "ENTRIES_MAX", entries)
    assert play(engine, STEPS) == never


def test_every_call_can_be_undone_afterwards(run: Run) -> None:
    machine = run(CODE)
    machine.value("work", 10)
    for name, *arguments in [("work", 7), ("write",), ("throws",), ("random",), ("timer",)]:
        outcome = machine.call(name, *arguments)
        undone = on_engine_thread(lambda: machine.sandbox.undo_last("ERR_X", "too much"))
        assert (undone.gas, undone.undone, undone.result) == (outcome.gas, True, None)
        assert json.loads(undone.error or b"") == {
            "name": "LimitError",
            "message": "too much",
            "code": "ERR_X",
        }
        assert machine.call(name, *arguments) == outcome
        on_engine_thread(lambda: machine.sandbox.undo_last("ERR_X", ""))
    assert machine.value("work", 0) == 10


def test_only_the_last_call_can_be_undone_and_only_once(run: Run) -> None:
    machine = run(CODE)

    def undo() -> None:
        on_engine_thread(lambda: machine.sandbox.undo_last("ERR_X", ""))

    with pytest.raises(LocalProtocolError):
        undo()
    machine.value("work", 1)
    undo()
    with pytest.raises(LocalProtocolError):
        undo()
    machine.call("never")
    with pytest.raises(LocalProtocolError):
        undo()


def test_undoing_asks_the_host_nothing(run: Run) -> None:
    machine = run(CODE)
    machine.value("write")
    machine.value("random")
    asked, seeds = len(machine.host.asked), machine.host.seeds
    machine.host.files["/a"] = b"changed since"
    assert machine.call("never").undone
    assert (len(machine.host.asked), machine.host.seeds) == (asked, seeds)
    assert machine.value("write") == "2"


def test_a_sandbox_whose_host_failed_cannot_be_used(run: Run) -> None:
    machine = run(CODE)

    class Broken:
        def call(self, operation: int, request: bytes, meter: object) -> bytes:
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        on_engine_thread(
            lambda: machine.sandbox.call("write", b"[]", caller=None, time_ms=0, host=Broken())
        )
    with pytest.raises(EngineFaultError, match="cannot be used"):
        machine.call("work", 1)


def test_a_script_is_started_once(run: Run) -> None:
    machine = run("exports.f = () => 1")
    with pytest.raises(LocalProtocolError, match="started already"):
        on_engine_thread(lambda: machine.sandbox.start("", None, time_ms=0, host=machine.host))


def test_sandboxes_of_one_engine_are_apart(run: Run) -> None:
    code = "var n = 0; globalThis.m ??= 0; Array.prototype.x ??= 0; exports.f = () => [++n, ++m, ++Array.prototype.x]"
    one, other = run(code), run(code)
    first = [one.call("f"), one.call("f")]
    assert [outcome.result for outcome in first] == [b"[1,1,1]", b"[2,2,2]"]
    assert [other.call("f"), other.call("f")] == first


def test_a_host_may_enter_another_sandbox_meanwhile(run: Run) -> None:
    outer, inner = run(CODE), run(CODE)

    class Nested:
        def call(self, operation: int, request: bytes, meter: object) -> bytes:
            inside = inner.sandbox.call("write", b"[]", caller=None, time_ms=0, host=inner.host)
            assert inside.error is None
            return outer.host.call(operation, request, meter)  # type: ignore[arg-type]

    outcome = on_engine_thread(
        lambda: outer.sandbox.call("write", b"[]", caller=None, time_ms=0, host=Nested())
    )
    assert outcome.result == b'"1"'
    assert inner.value("write") == "3"
