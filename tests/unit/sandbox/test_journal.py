"""The journal and the instances under it: going back leads to the same bytes."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from typing import TypeVar

import pytest
from sandbox_machine import TIME_MS, DictHost

from nodevms.sandbox import Engine, EngineFaultError, Limits, instance, journal
from nodevms.sandbox.instance import (
    ENDED_THROWN,
    ENDED_WITH_NOTHING,
    ENDED_WITH_VALUE,
    Instance,
)
from nodevms.sandbox.journal import Journal
from nodevms.vm.engine_thread import on_engine_thread

T = TypeVar("T")
CODE = b"""const keep = []
exports.f = async k => { for (let i = 0; i < k; i++) keep.push('x'.repeat(i)); await System.files.writeFile('/a', keep.length); return keep.length }
exports.r = () => Math.random()
exports.big = async n => { for (let i = 0; i < n; i++) keep.push((await System.files.readFile('/big', 'binary')).length) }"""
LIMITS = Limits(gas=1_000_000_000)


def start_request() -> bytes:
    limits = (LIMITS.memory_bytes, LIMITS.stack_bytes, LIMITS.console_bytes, LIMITS.timers)
    return struct.pack("<qIIIII", TIME_MS, 0, *limits) + CODE


def call_request(name: str, arguments: str) -> bytes:
    return struct.pack("<qiI", TIME_MS, -1, len(name)) + name.encode() + arguments.encode()


class Guest:
    """An instance whose every entry is in a journal."""

    def __init__(self, engine: Engine) -> None:
        self.journal = Journal(engine, LIMITS)
        self.instance = Instance(engine, LIMITS)
        self.host = DictHost()
        self.enter("start", start_request())

    def enter(self, function: str, request: bytes) -> instance.Ended:
        ended = self.instance.enter(function, request, self.host)
        self.journal.add(function, request, self.instance, ended)
        return ended

    def call(self, name: str, arguments: str) -> instance.Ended:
        return self.enter("call", call_request(name, arguments))


def on_thread(engine: Engine, work: Callable[[Guest], T]) -> T:
    return on_engine_thread(lambda: work(Guest(engine)))


def test_going_back_leads_to_the_same_memory(engine: Engine) -> None:
    def work(guest: Guest) -> None:
        for k in ("[3]", "[500]", "[0]"):
            assert guest.call("f", k).how == ENDED_WITH_VALUE
        guest.call("r", "[]")
        image = guest.instance.image()
        again = guest.journal.go_back()
        assert again.image() == image
        assert guest.journal.go_back().image() == image
        assert len(guest.host.asked) == 3
        assert guest.host.seeds == 1

    on_thread(engine, work)


def test_the_last_entry_can_be_dropped(engine: Engine) -> None:
    def work(guest: Guest) -> None:
        guest.call("f", "[3]")
        image = guest.instance.image()
        guest.call("f", "[900]")
        guest.journal.drop_last()
        assert guest.journal.go_back().image() == image

    on_thread(engine, work)


@pytest.mark.parametrize(
    ("name", "most"), [("ENTRIES_MAX", 2), ("GAS_MAX", 1000), ("BYTES_MAX", 100)]
)
def test_a_snapshot_is_taken_when_going_back_is_dear(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    def work(guest: Guest) -> None:
        guest.call("f", "[3]")
        monkeypatch.setattr(journal, name, most)
        guest.journal.snapshot_if_due(guest.instance)
        monkeypatch.undo()
        image = guest.instance.image()
        guest.instance = _refusing_to_enter()
        assert guest.journal.go_back().image() == image

    def _refusing_to_enter() -> Instance:
        monkeypatch.setattr(Instance, "enter", lambda *_: pytest.fail("an entry was run again"))
        return Instance(engine, LIMITS)

    on_thread(engine, work)


def test_what_a_call_reads_is_not_kept_without_end(engine: Engine) -> None:
    def work(guest: Guest) -> None:
        guest.host.files["/big"] = bytes(1 << 20)
        guest.call("big", "[3]")
        assert guest.instance.recorded is not None
        assert len(guest.instance.recorded) == 3
        before = guest.instance.image()
        assert guest.call("big", "[9]").how == ENDED_WITH_NOTHING
        assert guest.instance.recorded is None
        guest.journal.drop_last()
        assert guest.journal.go_back().image() == before
        guest.call("big", "[9]")
        with pytest.raises(EngineFaultError, match="not kept"):
            guest.journal.go_back()
        after = guest.instance.image()
        guest.journal.snapshot_if_due(guest.instance)
        assert guest.journal.go_back().image() == after

    on_thread(engine, work)


def test_without_a_reason_no_snapshot_is_taken(engine: Engine) -> None:
    def work(guest: Guest) -> None:
        guest.call("f", "[3]")
        guest.journal.snapshot_if_due(guest.instance)
        assert guest.journal._image is None

    on_thread(engine, work)


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: dataclasses.replace(entry, gas=entry.gas + 1),
        lambda entry: dataclasses.replace(entry, ended=ENDED_THROWN),
        lambda entry: dataclasses.replace(entry, answers=()),
        lambda entry: dataclasses.replace(entry, request=call_request("f", "[5]")),
    ],
)
def test_an_entry_that_ends_otherwise_is_a_fault(
    engine: Engine, damage: Callable[[journal.Entry], journal.Entry]
) -> None:
    def work(guest: Guest) -> None:
        guest.call("f", "[3]")
        guest.journal._entries[-1] = damage(guest.journal._entries[-1])
        with pytest.raises(EngineFaultError):
            guest.journal.go_back()

    on_thread(engine, work)


def test_an_image_makes_a_guest_of_exactly_its_size(engine: Engine) -> None:
    def work(guest: Guest) -> None:
        before = guest.instance.image()
        guest.call("f", "[3000]")
        grown = guest.instance.image()
        assert len(grown.memory) > len(before.memory)
        for image in (before, grown):
            assert Instance(engine, LIMITS, image).image() == image

    on_thread(engine, work)


def test_a_guest_that_lies_about_its_memory_is_a_fault(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(guest: Guest) -> None:
        honest = guest.instance._read_output
        lie = (0xFFFFFFF0, 100, *honest()[2:])
        monkeypatch.setattr(Instance, "_read_output", lambda _: lie)
        with pytest.raises(EngineFaultError, match="memory that it has not got"):
            guest.instance.enter("call", call_request("r", "[]"), guest.host)

    on_thread(engine, work)


def test_charging_more_than_there_is_stops_the_guest(engine: Engine) -> None:
    class Dear(DictHost):
        def call(self, operation: int, request: bytes, meter: object) -> bytes:
            meter.charge(LIMITS.gas)  # type: ignore[attr-defined]
            pytest.fail("the work was done without having been paid")

    def work(guest: Guest) -> None:
        ended = guest.instance.enter("call", call_request("f", "[1]"), Dear())
        assert (ended.how, ended.gas) == (instance.TRAPPED_GAS, LIMITS.gas)

    on_thread(engine, work)
