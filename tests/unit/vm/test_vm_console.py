from __future__ import annotations

import logging

import pytest

from nodevms.vm.console import BURST_BYTES, LINE_CHARACTERS_MAX, Console


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def console(clock: Clock, caplog: pytest.LogCaptureFixture) -> Console:
    caplog.set_level(logging.INFO, "script")
    return Console(logging.getLogger("script"), clock)


def test_a_message_is_a_record_a_line_with_its_entry_and_level(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    console(7, "log", "one\ntwo")
    console(8, "error", "three")
    assert [(r.seq, r.levelname, r.message) for r in caplog.records] == [  # type: ignore[attr-defined]
        (7, "INFO", "one"),
        (7, "INFO", "two"),
        (8, "ERROR", "three"),
    ]


def test_nothing_writes_to_the_operator_s_terminal(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    console(1, "log", "\x1b[2J\rcolour\ttab\x00\u202e")
    console(1, "log", "x" * 10_000)
    assert caplog.messages == [
        "\\x1b[2J\\rcolour\ttab\\x00\\u202e",
        "x" * LINE_CHARACTERS_MAX + "…",
    ]


@pytest.mark.parametrize("line", ["", "x", "x" * 4000, "😀" * 4000])
def test_a_burst_is_bounded_and_then_a_rate(
    console: Console, clock: Clock, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    printed = 0
    while len(caplog.records) == printed:  # all of them shown so far
        console(1, "log", line)
        printed += 1
    shown = len(caplog.records)
    logged = sum(100 + len(message) for message in caplog.messages)
    assert BURST_BYTES <= logged <= BURST_BYTES + 5000
    for _ in range(9):
        clock.now += 0.1
        console(1, "log", line)
    assert len(caplog.records) == shown  # nothing until there is room for a second's worth
    clock.now += 1.0
    console(2, "log", line)
    notice, first = caplog.records[shown:]
    assert notice.message == "10 lines of the script's output dropped"
    assert first.message == line
    clock.now += 1e6
    for _ in range(printed + 10):
        console(3, "log", line)
    logged = sum(100 + len(record.message) for record in caplog.records[shown + 2 :])
    assert logged <= BURST_BYTES + 5000  # however long it was quiet


def test_a_message_is_cut_where_the_burst_ends(
    console: Console, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    console(1, "log", "\n" * 200_000)
    shown = len(caplog.records)
    assert shown <= BURST_BYTES // 100 + 1
    clock.now += 2
    console(1, "log", "on")
    dropped = 200_001 - shown
    assert caplog.messages[shown:] == [f"{dropped} lines of the script's output dropped", "on"]


def test_what_is_not_shown_costs_nothing(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(10_000):
        console(1, "debug", "x" * 1000)
    console(1, "log", "shown")
    assert caplog.messages == ["shown"]


def test_what_nobody_reads_is_known_before_it_is_made(console: Console) -> None:
    assert [console.shows(level) for level in ("debug", "log", "warn", "error")] == [
        *(False, True, True, True)
    ]
