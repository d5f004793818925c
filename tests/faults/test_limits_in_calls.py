"""A limit that a call meets: wherever it is, the call is undone and logged, and the next one runs."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_places import LIMITS, MEETINGS, PLACES

from nodevms.audit import Verifier
from nodevms.sandbox import Engine
from nodevms.vm import VM, CallLog
from nodevms.vm.entries import Call

CROSS = list(itertools.product(PLACES, MEETINGS))
BEGIN = "let n = 0, touched = 0; exports.next = async () => [++n, touched, await System.files.readdir('/')]\n"


def script() -> str:
    """Return a script with an export for each place and meeting, which leaves traces in all."""
    lines = [BEGIN]
    for number, (place, meeting) in enumerate(CROSS):
        body = f"touched = {number}; " + MEETINGS[meeting][0]
        lines.append(f"exports.m{number} = {PLACES[place].replace('BODY', body)}\n")
    return "".join(lines)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("limits") / "backend"


@pytest.fixture(scope="module")
def answers(engine: Engine, directory: Path) -> list[tuple[Any, Any]]:
    """What each call ended with, and what the one after it returned."""

    async def run() -> list[tuple[Any, Any]]:
        vm = VM(script(), engine=engine)
        await vm.deploy(dir=directory, limits=LIMITS)
        found = []
        for number in range(len(CROSS)):
            ended = await vm.call(f"m{number}", b"[]")
            after = await vm.call("next", b"[]")
            found.append((json.loads(ended.error or b"null"), json.loads(after.result or b"null")))
        await vm.close()
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("number", range(len(CROSS)), ids=[", ".join(pair) for pair in CROSS])
def test_a_call_that_meets_a_limit_is_undone(answers: list[tuple[Any, Any]], number: int) -> None:
    error, after = answers[number]
    _, code, message = MEETINGS[CROSS[number][1]]
    assert error == {"name": "LimitError", "message": message, "code": code}
    assert after == [number + 1, 0, []]


def calls(directory: Path) -> Iterator[Call]:
    with CallLog.open(directory) as log:
        for entry in log:
            if isinstance(entry, Call):
                yield entry


@pytest.mark.usefixtures("answers")
def test_all_of_them_are_in_the_log_and_verify(engine: Engine, directory: Path) -> None:
    names = [entry.call.methodName for entry in calls(directory)]
    assert names == [name for n in range(len(CROSS)) for name in (f"m{n}", "next")]
    gas = [e.result.gas for e in calls(directory) if e.call.methodName != "next"]
    for (_, meeting), used in zip(CROSS, gas, strict=True):
        assert (used == LIMITS.gas) == (meeting in {"gas", "memory"})
    assert Verifier(engine).verify(directory).calls == 2 * len(CROSS)
