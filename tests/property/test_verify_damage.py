"""Whatever happens to a backend's records, verify answers, and it never says "verified" wrongly."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "replay"))
import backends
import cheating_host as host
from cheating_host import Blocks

from nodevms.audit import Verifier
from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.sandbox import Engine

FOLDERS = ("call-log.", "files/metadata/", "files/content/")
FILES = [f"{folder}{part}" for folder in FOLDERS for part in ("data", "tree", "signatures", "key")]

DAMAGES: dict[str, Callable[[bytes, int, int, bytes], bytes]] = {
    "flip": lambda d, a, b, x: d[:a] + bytes([d[a] ^ (x[0] or 1)]) + d[a + 1 :],
    "zero": lambda d, a, b, x: d[:a] + bytes(b - a) + d[b:],
    "overwrite": lambda d, a, b, x: (d[:a] + x + d[a + len(x) :])[: max(len(d), a + len(x))],
    "insert": lambda d, a, b, x: d[:a] + x + d[a:],
    "remove": lambda d, a, b, x: d[:a] + d[b:],
    "cut": lambda d, a, b, x: d[:a],
    "extend": lambda d, a, b, x: d + x,
    "repeat": lambda d, a, b, x: d[:b] + d[a:],
    "empty": lambda d, a, b, x: b"",
}


@st.composite
def damage(draw: st.DrawFn) -> tuple[str, str, float, float, bytes]:
    return (
        draw(st.sampled_from(FILES)),
        draw(st.sampled_from(sorted(DAMAGES))),
        draw(st.floats(0, 1, exclude_max=True)),
        draw(st.floats(0, 1)),
        draw(st.binary(min_size=1, max_size=90)),
    )


@pytest.fixture(scope="module")
def verifier(engine: Engine) -> Verifier:
    return Verifier(engine)


@pytest.fixture(scope="module", params=["own", "copy"])
def backend(
    request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    directory = backends.photos(engine, tmp_path_factory.mktemp("damage") / "backend")
    if request.param == "copy":
        (directory / "call-log.secret_key").unlink()
    return directory


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(damages=st.lists(damage(), min_size=1, max_size=3))
def test_damaged_files_never_verify(
    verifier: Verifier, backend: Path, damages: list[tuple[str, str, float, float, bytes]]
) -> None:
    whole = {name: (backend / name).read_bytes() for name in FILES}
    try:
        for name, kind, start, length, extra in damages:
            data = (backend / name).read_bytes()
            if data:
                at = int(start * len(data))
                end = at + int(length * (len(data) - at))
                (backend / name).write_bytes(DAMAGES[kind](data, at, end, extra))
        if all((backend / name).read_bytes() == whole[name] for name in FILES):
            verifier.verify(backend)
            return
        with pytest.raises((ProvedFalseError, CouldNotCheckError)):
            verifier.verify(backend)
    finally:
        for name, data in whole.items():
            (backend / name).write_bytes(data)


HOSTILE: list[object] = [
    *(None, True, -1, 0, 1, 1.5, 2**31, 2**53, 2**53 + 1, 2**63, 2**64, 10**30, 1e300),
    *("", "x", "/", "/a/../b", "\x00", "é\u2028", "a" * 70_000, "0" * 64, "dat://"),
    *("file", "folder", "deleted", "call", "init", "restart", "upgrade", "constructor"),
    *([], {}, [[]], {"a": 1}, [None], {"value": 1}),
    "exports.x = 1",
    "throw 1",
    "exports.increment = exports.addPhoto = () => {}",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give the path to each member of a JSON value."""
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in list(members):
        yield (*path, key)
        if isinstance(member, dict | list):
            yield from places(member, (*path, key))


@pytest.fixture(scope="module")
def counter(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backends.counter(engine, tmp_path_factory.mktemp("signed") / "backend")


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_whatever_a_host_signs_gets_an_answer(
    verifier: Verifier,
    counter: Path,
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    def change(blocks: Blocks) -> Blocks:
        seq = data.draw(st.integers(0, len(blocks) - 1), label="seq")
        entry = json.loads(blocks[seq])
        place = data.draw(st.sampled_from(list(places(entry))), label="place")
        target = entry
        for step in place[:-1]:
            target = target[step]
        if data.draw(st.booleans(), label="remove") and isinstance(target, dict):
            del target[place[-1]]
        else:
            target[place[-1]] = data.draw(st.sampled_from(HOSTILE), label="value")
        return [*blocks[:seq], host.spelled(entry), *blocks[seq + 1 :]]

    copy = host.cheat_log(counter, tmp_path_factory.mktemp("lie") / "copy", change)
    with suppress(ProvedFalseError, CouldNotCheckError):
        verifier.verify(copy)
