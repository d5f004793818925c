"""Copies of a sandbox: they do what it would have done, and nothing that they do stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sandbox_machine import TIME_MS, Machine

from nodevms.sandbox import Engine, Fork, Limits, Outcome, Point, Replica, journal
from nodevms.sandbox.image import Image
from nodevms.sandbox.instance import Instance
from nodevms.vm.engine_thread import on_engine_thread

Run = Callable[..., Machine]

CODE = """
let n = 0; const keep = []
exports.add = k => { for (let i = 0; i < k; i++) keep.push({i, s: 'x'.repeat(i % 50)}); return keep.length }
exports.size = () => keep.length
exports.spoil = () => { keep.length = 0; Array.prototype.push = null; Object.prototype.toJSON = () => 'mine'; return {} }
exports.random = () => Math.random()
exports.read = async () => System.files.readFile('/a')
exports.write = async () => { await System.files.writeFile('/a', String(++n)); return System.files.readFile('/a') }
exports.loop = () => { for (;;) keep.push([keep.length]) }
exports.big = () => { keep.push('x'.repeat(8e6)) }
"""


def read(
    machine: Machine, replica: Replica, point: Point, method: str, arguments: str = "[]"
) -> Outcome:
    def work() -> Outcome:
        fork: Fork = replica.fork(point)
        return fork.call(
            method, arguments.encode(), caller=None, time_ms=TIME_MS, host=machine.host
        )

    return on_engine_thread(work)


def point_of(machine: Machine) -> Point:
    return on_engine_thread(machine.sandbox.point)


def test_a_copy_does_what_the_sandbox_does_at_its_point(run: Run) -> None:
    machine = run(CODE)
    replica = on_engine_thread(machine.sandbox.replica)
    for method, arguments in [
        ("add", [7]),
        ("write", []),
        ("random", []),
        ("add", [2000]),
        ("big", []),
    ]:
        point = point_of(machine)
        text = str(arguments)
        copied = read(machine, replica, point, method, text)
        assert read(machine, replica, point, method, text) == copied
        assert machine.call(method, *arguments) == copied


def test_nothing_that_a_copy_does_stays(run: Run) -> None:
    machine = run(CODE)
    machine.value("add", 5)
    replica, point = on_engine_thread(machine.sandbox.replica), point_of(machine)
    before = read(machine, replica, point, "size")
    assert read(machine, replica, point, "spoil").result == b'"mine"'
    assert read(machine, replica, point, "add", "[3]").result == b"8"
    assert read(machine, replica, point, "size") == before
    assert machine.value("size") == 5
    assert machine.value("add", 1) == 6


def test_points_stay_while_the_sandbox_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ENTRIES_MAX", 3)
    machine = run(CODE, gas=100_000_000)
    replica = on_engine_thread(machine.sandbox.replica)
    points = []
    for count in range(8):
        points.append((count, point_of(machine)))
        machine.value("add", 1)
        assert machine.call("loop").undone or count
    for count, point in [*points, *reversed(points)]:
        assert read(machine, replica, point, "size").result == str(count).encode()


def test_a_limit_ends_a_copy_and_nothing_else(run: Run) -> None:
    machine = run(CODE, gas=50_000_000)
    replica, point = on_engine_thread(machine.sandbox.replica), point_of(machine)
    stopped = read(machine, replica, point, "loop")
    assert stopped.undone
    assert b"ERR_GAS" in (stopped.error or b"")
    assert stopped == machine.call("loop")
    assert read(machine, replica, point, "size").result == b"0"


def test_a_point_costs_no_more_than_an_undo(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ran before, no copy runs more again than the journal's bounds."""
    monkeypatch.setattr(journal, "GAS_MAX", 1_000_000)
    machine = run(CODE)
    machine.value("add", 20_000)  # one call far beyond the bound
    point = point_of(machine)
    assert point.image is not None
    assert point.count == 0
    machine.value("size")
    later = point_of(machine)
    assert (later.image, later.count) == (point.image, 1)


def test_a_copy_has_the_memory_of_the_sandbox(engine: Engine, run: Run) -> None:
    """A copy of what differs is a copy of everything, also of what the guest made zero again."""
    machine = run(CODE)
    machine.value("add", 3000)
    machine.call("big")

    def work() -> tuple[Image, Image, int, int]:
        limits = Limits()
        new = Instance(engine, limits).image()
        point = machine.sandbox.point()
        whole = Instance(engine, limits, point.image)
        journal.run_again(whole, point.entries)
        sparse = whole.sparse_image(new)
        again = Instance(engine, limits, sparse)
        kept = sum(len(piece) for _, piece in sparse.pieces)
        return whole.image(), again.image(), kept, sparse.size

    memory, copied, kept, size = on_engine_thread(work)
    assert memory == copied
    assert kept < size
