"""The engine gives what the golden vectors have, bit for bit and gas for gas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from engine_vectors import FOLDER, INPUTS, Asked, Recorded, play, rewrite

from nodevms.sandbox import Engine

VECTORS = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", VECTORS, ids=[path.stem for path in VECTORS])
def test_a_vector(engine: Engine, path: Path) -> None:
    vector = json.loads(path.read_bytes())
    expected: list[dict[str, Any]] = [vector["start"], *vector["calls"]]
    hosts = [Recorded(msgspec.convert(each.get("asked", []), list[Asked])) for each in expected]
    outcomes = play(engine, vector, iter(hosts))
    for outcome, wanted, host in zip(outcomes, expected, hosts, strict=True):
        known = {k: v for k, v in wanted.items() if k not in (*INPUTS, "asked")}
        assert outcome == known, wanted.get("method", "start")
        host.check_end()


def test_they_cover_what_they_should() -> None:
    assert {path.stem for path in VECTORS} == {
        *("arithmetic", "async", "buffer", "collections", "dates", "errors", "es_module", "files"),
        *("json", "math", "modules", "regex", "strings", "system", "typed_arrays"),
    }
    calls = [call for path in VECTORS for call in json.loads(path.read_bytes())["calls"]]
    assert len(calls) > 100
    codes = {"ERR_GAS", "ERR_MEMORY", "ERR_NEVER_SETTLED", "ERR_RESULT_SIZE"}
    assert {c for c in codes for call in calls if c in call.get("error", "")} == codes


def test_a_backend_writes_the_same(engine: Engine, tmp_path: Path) -> None:
    for path in VECTORS:
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        rewrite(engine, copy)
        assert copy.read_bytes() == path.read_bytes()


def test_a_vector_notices_another_answer(engine: Engine) -> None:
    def hosts(asked: list[Asked]) -> Iterator[Recorded]:
        yield Recorded([])
        yield Recorded(asked)

    vector = json.loads((FOLDER / "files.json").read_bytes())
    vector["calls"] = vector["calls"][:1]
    asked = msgspec.convert(vector["calls"][0]["asked"], list[Asked])
    asked[1].request = asked[1].request.replace("counter", "other")
    with pytest.raises(AssertionError):
        list(play(engine, vector, hosts(asked)))
