"""Drives that somebody signed to do harm: one bad path costs nobody the others, or the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from clone_worlds import Source, clone, files_in

from nodevms.archive import BadDriveError
from nodevms.archive.drive import FOLDER_MODE
from nodevms.archive.messages import Stat
from nodevms.dat.clone.names import DEPTH_MAX, folded
from nodevms.errors import CouldNotCheckError


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "outer" / "clone"


@pytest.mark.parametrize(
    "name", [b"/../out", b"/a/../../out", b"out", b"//out", b"/./out", b"/a/", b"/\xff", b""]
)
def test_a_path_that_is_none_ends_it(source: Source, target: Path, name: bytes) -> None:
    source.publish_raw(name, source.store(b"x"))
    with pytest.raises(BadDriveError):
        clone(source, target, 1)
    assert [path.name for path in target.parent.iterdir()] == ["clone"]
    assert files_in(target) == {}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nul\x00byte", "NUL"),
        ("/" + "n" * 256, "longer than 255 bytes"),
        ("/" + "ü" * 128, "longer than 255 bytes"),
        ("/f/" + "n" * 256 + "/in", "longer than 255 bytes"),
        ("/.dat/metadata.key", "own folder"),
        ("/.DAT/nodevms.db", "own folder"),
        ("/.d\u200cat/parts/0", "own folder"),
        ("/.dat", "own folder"),
        ("/d" * (DEPTH_MAX + 1), "deeper than"),
    ],
)
def test_what_cannot_be_written_is_skipped_and_said(
    source: Source, target: Path, path: str, reason: str
) -> None:
    source.publish({path: source.store(b"bad")})
    source.write("/good", b"good")
    result = clone(source, target)
    assert [(skipped.path, skipped.false) for skipped in result.skipped] == [(path[1:], False)]
    assert reason in result.skipped[0].reason
    assert {name: data for name, data in files_in(target).items() if data} == {"good": b"good"}
    assert clone(source, target).written == 0


def test_names_that_are_strange_but_possible_are_written(source: Source, target: Path) -> None:
    names = ["/a\nb", "/back\\slash", "/-rf", "/ ", "/...", "/con", "/" + "n" * 255, "/\x1b[2J"]
    for name in names:
        source.write(name, name.encode())
    clone(source, target)
    assert files_in(target) == source.model
    assert len(source.model) == len(names)


@pytest.mark.parametrize(
    "lie",
    [
        {"size": 2**53 - 1},
        {"size": 3},
        {"size": 0},
        {"size": 99_999},
        {"size": 100_001},
        {"blocks": 0},
        {"blocks": 3},
        {"blocks": 1},
        {"byte_offset": 0},
        {"byte_offset": 10},
        {"byte_offset": 12},
        {"byte_offset": 2**52},
        {"offset": 0},
        {"offset": 2},
        {"mode": 0o120777},
        {"mode": 0o020644},
    ],
)
def test_a_stat_that_lies_is_skipped_as_false(
    source: Source, target: Path, lie: dict[str, int]
) -> None:
    source.write("/before", b"before/here")
    bad = source.store(b"x" * 100_000, **lie)
    source.write("/z after", b"after" * 20_000)
    source.publish({"/bad": bad})
    result = clone(source, target)
    assert all(skipped.false for skipped in result.skipped)
    # One that claims another's bytes may cost that one its place, but nothing false is written.
    skipped = {one.path for one in result.skipped}
    true = {"before": b"before/here", "z after": b"after" * 20_000}
    assert "bad" in skipped or skipped & true.keys()
    found = files_in(target)
    assert found.keys() == {"before", "z after", "bad"} - skipped
    assert {path: data for path, data in found.items() if path != "bad"} == {
        path: data for path, data in true.items() if path not in skipped
    }
    assert list((target / ".dat" / "parts").iterdir()) == []
    assert clone(source, target).written == 0


def test_contents_that_overlap_are_false(source: Source, target: Path) -> None:
    whole = source.store(b"".join(bytes([n]) * 65_536 for n in range(4)))
    part = Stat(mode=whole.mode, size=65_536, blocks=1, offset=2, byte_offset=131_072, mtime_ms=1)
    source.publish({"/whole": whole, "/part": part})
    source.write("/good", b"good")
    result = clone(source, target)
    assert [(skipped.path, skipped.false) for skipped in result.skipped] == [("part", True)]
    assert set(files_in(target)) == {"whole", "good"}


def test_a_file_with_files_below_it_is_skipped(source: Source, target: Path) -> None:
    source.publish({"/a": source.store(b"file"), "/a/b": source.store(b"below")})
    source.publish({"/c/d": source.store(b"below"), "/c": source.store(b"file")})
    result = clone(source, target)
    assert [skipped.path for skipped in result.skipped] == ["a", "c"]
    assert files_in(target) == {"a": None, "a/b": b"below", "c": None, "c/d": b"below"}


def test_names_that_the_file_system_takes_for_one(source: Source, target: Path) -> None:
    for path in ("/A", "/a", "/sub/x", "/SUB/y", "/e\u0301", "/\u00e9", "/straße", "/STRASSE"):
        source.write(path, path.encode())
    assert len(clone(source, target.parent / "exact").skipped) == 0
    result = clone(source, target, folds=True)
    assert len(result.skipped) == 5  # one of each pair, and what is in a skipped folder
    names = [folded(name) for name in files_in(target)]
    assert len(set(names)) == len(names)
    assert len(files_in(target)) == 5


def test_no_more_entries_than_allowed_folders_included(source: Source, target: Path) -> None:
    source.publish({"/a" * 60: Stat(mode=FOLDER_MODE), "/b" * 60: Stat(mode=FOLDER_MODE)})
    with pytest.raises(CouldNotCheckError) as caught:
        clone(source, target, entries_max=100)
    assert caught.value.code == "ceiling"
    assert files_in(target) == {}
    clone(source, target, entries_max=120)
    assert len(files_in(target)) == 120


def test_skipped_paths_count_as_entries(source: Source, target: Path) -> None:
    source.publish({f"/.dat/{index}": Stat(mode=FOLDER_MODE) for index in range(20)})
    with pytest.raises(CouldNotCheckError):
        clone(source, target, entries_max=10)
