"""Somebody who has read docs/spec*.md and nothing else judges backends as our verifier does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cheating_host as host
import independent_backend
import pytest
from cheating_host import Honest, cheat_entry, cheat_log, copied, example, flip
from independent_backend import Backend
from independent_feed import IsFalse, NotChecked

from nodevms.archive.messages import NodeMessage, Stat
from nodevms.audit import Verifier
from nodevms.audit.verifier import Report
from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.sandbox import Engine

Entry = dict[str, Any]

BUSY = """
const fs = System.files
exports.init = () => fs.writeFile('/begun', String(Math.random()))
exports.write = (path, data) => fs.writeFile(path, data)
exports.fill = async (folder, count) => {
  for (let i = 0; i < count; i++) await fs.writeFile(`${folder}/${i}`, `${folder} ${i}`)
}
exports.mkdir = path => fs.mkdir(path)
exports.remove = path => fs.rmdir(path, { recursive: true })
exports.unlink = path => fs.unlink(path)
exports.rename = (from, to) => fs.rename(from, to)
exports.copy = (from, to) => fs.copy(from, to)
exports.large = size => fs.writeFile('/large', Buffer.alloc(size, 7))
exports.swap = async () => { await fs.unlink('/x/file'); await fs.writeFile('/x/file/below', 'now a folder') }
exports.spin = () => { for (;;); }
exports.fail = () => { throw new TypeError('no "luck"') }
exports.who = () => System.caller.id
"""

BUSY_CALLS: list[list[tuple[Any, ...]]] = [
    [
        ("write", "/x/file", "one"),
        ("write", "/x/file", "two"),
        ("fill", "/many", 40),
        ("mkdir", "/empty"),
        ("write", "/nothing", ""),
        ("write", '/ü/"quoted"/é', "deep"),
    ],
    [("large", 200_000), ("fail",), ("who", {"caller": 'bob "b"'}), ("swap",)],
    [
        ("remove", "/many"),
        ("rename", "/x", "/y"),
        ("copy", "/y", "/z"),
        ("write", "/many", "now a file"),
        ("unlink", "/nothing"),
    ],
    [],
    [("remove", "/z"), ("unlink", "/large"), ("unlink", "/begun"), ("remove", "/empty")],
]


@pytest.fixture(scope="module")
def verifier(engine: Engine) -> Verifier:
    return Verifier(engine)


@pytest.fixture(scope="module")
def busy(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five runs with all that the files can do, each published at its end."""
    honest = Honest(engine, tmp_path_factory.mktemp("busy") / "backend", debug=True)
    for number, calls in enumerate(BUSY_CALLS):
        honest.run(BUSY + f"// {number // 2}", calls, upgrade=number > 0)
    return honest.directory


@pytest.fixture(scope="module")
def counter(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Entries: init, three calls, a restart, two calls. Not in debug mode."""
    honest = Honest(engine, tmp_path_factory.mktemp("counter") / "backend")
    code = example("persistent-counter.js")
    return honest.run(code, [("increment",)] * 3).run(code, [("increment",)] * 2).directory


@pytest.fixture
def backends(busy: Path, counter: Path) -> dict[str, Path]:
    return {"busy": busy, "counter": counter}


def agree(backend: Backend, report: Report) -> None:
    assert len(backend.log.blocks) == report.entries
    assert backend.version == report.files_version
    assert independent_backend.state_root(backend.state).hex() == report.files_root
    assert backend.publications == report.publications
    assert bool(backend.unpublished) == report.lag


@pytest.mark.parametrize("name", ["busy", "counter"])
def test_honest_backends(verifier: Verifier, backends: dict[str, Path], name: str) -> None:
    backend = independent_backend.verify(backends[name])
    agree(backend, verifier.verify(backends[name]))
    assert backend.publications >= 2
    assert not backend.unpublished


def test_an_empty_script_of_files(verifier: Verifier, engine: Engine, tmp_path: Path) -> None:
    honest = Honest(engine, tmp_path / "backend").run(example("counter.js"), [("increment",)])
    agree(independent_backend.verify(honest.directory), verifier.verify(honest.directory))


def put(*path: str | int, value: object) -> Callable[[Entry], None]:
    def change(entry: Any) -> None:
        for step in path[:-1]:
            entry = entry[step]
        entry[path[-1]] = value

    return change


def turned(entry: Entry) -> None:
    entry["result"]["changes"].reverse()


def without_changes(entry: Entry) -> None:
    del entry["result"]["changes"], entry["result"]["filesRoot"]


FILE = ("result", "changes", 1)


@pytest.mark.parametrize(
    ("name", "seq", "change"),
    [
        ("busy", 1, put("result", "filesRoot", value="0" * 64)),
        ("busy", 1, put("result", "filesVersion", value=4)),
        ("busy", 1, put(*FILE, "sha256", value="0" * 64)),
        ("busy", 1, put(*FILE, "size", value=2)),
        ("busy", 1, put(*FILE, "block", value=0)),
        ("busy", 1, put(*FILE, "block", value=10**9)),
        ("busy", 1, put(*FILE, "path", value="/x/other")),
        ("busy", 1, put(*FILE, "path", value="/x/../file")),
        ("busy", 1, put(*FILE, "path", value="/nowhere/file")),
        ("busy", 1, put(*FILE, "kind", value="folder")),
        ("busy", 1, put(*FILE, "kind", value="deleted")),
        ("busy", 1, turned),
        ("busy", 1, without_changes),
        ("counter", 2, put("call", "time", value=1)),
        ("counter", 0, put("filesArchiveUrl", value="dat://" + "0" * 64)),
        ("counter", 0, put("contentKey", value="0" * 64)),
        ("counter", 1, put("call", "userId", value="bob")),
        ("busy", 1, put("call", "userId", value="a" * 64)),
        ("busy", 0, put("seed", value="A" * 16)),
        ("counter", 1, put("call", "args", value={})),
        ("counter", 1, put("call", "args", value=[json.loads("[" * 128 + "]" * 128)])),
        ("counter", 1, put("call", "args", value=["x" * (1 << 20)])),
        ("counter", 1, put("result", "gas", value=10**10 + 1)),
        ("counter", 4, put("type", value="upgrade")),
        ("counter", 1, put("result", "res", value=json.loads("[" * 129 + "]" * 129))),
    ],
)
def test_a_changed_entry(
    verifier: Verifier,
    backends: dict[str, Path],
    tmp_path: Path,
    name: str,
    seq: int,
    change: Callable[[Entry], None],
) -> None:
    copy = cheat_entry(backends[name], tmp_path / "copy", seq, change)
    with pytest.raises(ProvedFalseError):
        verifier.verify(copy)
    with pytest.raises(IsFalse):
        independent_backend.verify(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda blocks: blocks[1:],
        lambda blocks: [*blocks[:2], *blocks[3:]],
        lambda blocks: [*blocks[:3], blocks[0], *blocks[3:]],
        lambda blocks: [*blocks[:2], blocks[3], blocks[2], *blocks[4:]],
        lambda blocks: blocks[:-1],
        lambda blocks: [*blocks[:2], blocks[2].replace(b":", b": ", 1), *blocks[3:]],
    ],
)
def test_another_list_of_entries(
    verifier: Verifier, counter: Path, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    copy = cheat_log(counter, tmp_path / "copy", change)
    with pytest.raises(ProvedFalseError):
        verifier.verify(copy)
    with pytest.raises(IsFalse):
        independent_backend.verify(copy)


def later(blocks: list[bytes]) -> list[bytes]:
    return [*blocks[:4], blocks[4].replace(b'"v":1', b'"v":2'), *blocks[5:]]


def test_a_later_format_is_not_called_false(
    verifier: Verifier, counter: Path, tmp_path: Path
) -> None:
    copy = cheat_log(counter, tmp_path / "copy", later)
    with pytest.raises(CouldNotCheckError):
        verifier.verify(copy)
    with pytest.raises(NotChecked):
        independent_backend.verify(copy)


def stat_changed(block: bytes, **members: int) -> bytes:
    node = NodeMessage.decode(block, seq=0)
    assert node.value is not None
    stat = Stat.decode(node.value, seq=0)
    known = {name: getattr(stat, name) for name in Stat.__dataclass_fields__}
    changed = Stat(**(known | members)).encode()
    return NodeMessage(node.name, changed, node.paths, node.marker).encode()


def marked(block: bytes, marker: int | None) -> bytes:
    node = NodeMessage.decode(block, seq=0)
    return NodeMessage(node.name, node.value, node.paths, marker).encode()


@pytest.mark.parametrize(
    "change",
    [
        lambda b: [b[0], stat_changed(b[1], mtime_ms=5), *b[2:]],
        lambda b: [b[0], stat_changed(b[1], size=5), *b[2:]],
        lambda b: [b[0], stat_changed(b[1], offset=2), *b[2:]],
        lambda b: [b[0], stat_changed(b[1], uid=1), *b[2:]],
        lambda b: [*b[:-1], marked(b[-1], 4)],
        lambda b: [*b[:-1], marked(b[-1], 99)],
        lambda b: [*b[:-1], marked(b[-1], None)],
        lambda b: [*b, b[-1]],
        lambda b: [b[0], b[2], b[1], *b[3:]],
        lambda b: [b[0][:-1] + bytes([b[0][-1] ^ 1]), *b[1:]],
        lambda b: [b[0], b[1] + b"\x88\x01\x01", *b[2:]],
        lambda b: [b[0], b"\xff" + b[1], *b[2:]],
    ],
)
def test_another_drive(
    verifier: Verifier, counter: Path, tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    copy = copied(counter, tmp_path / "copy")
    host.cheat_drive(copy, change)
    with pytest.raises(ProvedFalseError):
        verifier.verify(copy)
    with pytest.raises(IsFalse):
        independent_backend.verify(copy)


def test_other_contents(verifier: Verifier, counter: Path, tmp_path: Path) -> None:
    copy = copied(counter, tmp_path / "copy")
    host.cheat_contents(copy, lambda blocks: [*blocks[:-1], b"9"])
    with pytest.raises(ProvedFalseError):
        verifier.verify(copy)
    with pytest.raises(IsFalse):
        independent_backend.verify(copy)


FEEDS = ("call-log.", "files/metadata/", "files/content/")


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("part", ["data", "tree", "signatures", "key"])
@pytest.mark.parametrize("place", ["beginning", "end"])
def test_a_flipped_bit(
    verifier: Verifier, counter: Path, tmp_path: Path, feed: str, part: str, place: str
) -> None:
    copy = copied(counter, tmp_path / "copy")
    path = copy / f"{feed}{part}"
    flip(path, 0 if place == "beginning" else path.stat().st_size - 1)
    same_verdict(verifier, copy)


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("part", ["data", "tree", "signatures"])
@pytest.mark.parametrize("size", [-64, -1, 0, 1, 200])
def test_a_file_of_another_length(
    verifier: Verifier, counter: Path, tmp_path: Path, feed: str, part: str, size: int
) -> None:
    copy = copied(counter, tmp_path / "copy")
    path = copy / f"{feed}{part}"
    data = path.read_bytes()
    path.write_bytes(data + b"\x01" * size if size > 0 else data[: size or 0])
    same_verdict(verifier, copy)


@pytest.mark.parametrize("feed", FEEDS)
def test_a_file_that_is_not_there(
    verifier: Verifier, counter: Path, tmp_path: Path, feed: str
) -> None:
    copy = copied(counter, tmp_path / "copy")
    shutil.move(copy / f"{feed}tree", tmp_path / "elsewhere")
    same_verdict(verifier, copy)


def same_verdict(verifier: Verifier, directory: Path) -> None:
    """Both refuse, and for the same kind of reason."""
    with pytest.raises((ProvedFalseError, CouldNotCheckError)) as ours:
        verifier.verify(directory)
    with pytest.raises((IsFalse, NotChecked)) as theirs:
        independent_backend.verify(directory)
    assert isinstance(ours.value, ProvedFalseError) == isinstance(theirs.value, IsFalse), (
        f"ours: {ours.value}, theirs: {theirs.value}"
    )
