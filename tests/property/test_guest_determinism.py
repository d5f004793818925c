"""A script comes to the same on every machine, whatever was undone or copied in between.

Random programs run here, in another process with another time zone, language and hash seed, with
undone calls before each call, and with snapshots at other moments. Results, errors, stacks, gas,
what was printed and the whole memory at the end must be equal.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import guest_programs
import pytest
from guest_programs import EXPRESSIONS, Program, outcomes, programs
from hypothesis import HealthCheck, example, given, settings

from nodevms.sandbox import Engine, journal

Elsewhere = Callable[[Program], list[object]]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    settings = {"TZ": "Asia/Kolkata", "LANG": "tr_TR.UTF-8", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    with subprocess.Popen(
        [sys.executable, str(Path(guest_programs.__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        reader, writer = process.stdout, process.stdin

        def run(program: Program) -> list[object]:
            writer.write(json.dumps(program) + "\n")
            writer.flush()
            found: list[object] = json.loads(reader.readline())
            return found

        yield run


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(program=[[number] for number in range(len(EXPRESSIONS))])
@given(program=programs())
def test_a_program_comes_to_the_same_everywhere(
    engine: Engine, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    here = outcomes(engine, program)
    assert elsewhere(program) == here
    assert outcomes(engine, program, extra=1) == here
    with monkeypatch.context() as patch:
        patch.setattr(journal, "ENTRIES_MAX", 2)
        assert outcomes(engine, program) == here
