"""Recorded histories, replayed in every release: what was verified once verifies for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from record_golden import GOLDEN, RECORDINGS, RIGHT, verdict

NAMES = sorted(path.parent.name for path in GOLDEN.glob("*/verdict.json"))


def test_every_recording_is_there_and_they_are_small() -> None:
    assert set(RECORDINGS) <= set(NAMES)
    size = sum(path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file())
    assert size < 300_000


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_history_gets_its_verdict(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    expected = json.loads((GOLDEN / name / "verdict.json").read_text())
    found = verdict(GOLDEN / name)
    if found.get("code") == "unknown-engine":
        pytest.fail(f"{name} needs an engine that is not shipped; see record_golden.py")
    assert found == expected
    assert found["exitCode"] == RIGHT[name.partition("-")[0]]
