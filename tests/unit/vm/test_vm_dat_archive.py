"""The files of a backend as Python programs read them, running or on disk, at any version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import cheating_host as host
import pytest

from nodevms import VM, DatArchive, NodeVMSError
from nodevms.archive.errors import (
    InvalidPathError,
    NotAFileError,
    NotAFolderError,
    NotFoundError,
    UnknownVersionError,
)
from nodevms.errors import LocalProtocolError, ProvedFalseError, StorageError
from nodevms.sandbox import Engine
from nodevms.vm.encodings import InvalidEncodingError

SCRIPT = """
const fs = System.files
exports.write = (path, data, encoding) => fs.writeFile(path, data, encoding)
exports.remove = path => fs.rmdir(path, { recursive: true })
exports.nothing = () => {}
"""
TIMES = iter(range(1_600_000_000_000, 1_700_000_000_000, 1000))


@pytest.fixture
async def vm(engine: Engine, tmp_path: Path) -> AsyncIterator[VM]:
    vm = VM(SCRIPT, engine=engine, clock=lambda: next(TIMES))
    await vm.deploy(dir=tmp_path / "backend", title="Files")
    write = vm.exports.write
    await write("/counter", 1)  # version 1
    await write("/counter", 2)  # 2
    await write("/photos/a.bin", "/wA=", "base64")  # 3 and 4
    await write("/photos/b.txt", "é\ufeff")  # 5
    await vm.exports.remove("/photos")  # 6, 7, 8
    await vm.exports.nothing()
    yield vm
    await vm.close()


@pytest.fixture(params=["running", "in use", "closed"])
async def archive(
    request: pytest.FixtureRequest, vm: VM, tmp_path: Path
) -> AsyncIterator[DatArchive]:
    if request.param == "closed":
        await vm.close()
    if request.param == "running":
        yield vm.files_archive
    else:
        with DatArchive.open(tmp_path / "backend") as archive:
            yield archive


def test_the_newest_version(archive: DatArchive) -> None:
    info = archive.get_info()
    assert (info.title, info.version) == ("Files", 8)
    assert info.url == archive.url == f"dat://{info.key}"
    assert archive.readdir() == archive.readdir("/", recursive=True) == ["counter"]
    assert archive.read_file("counter", "json") == 2
    assert archive.exists("/")
    assert not archive.exists("/photos")
    stat = archive.stat("/counter")
    assert (stat.is_folder, stat.size, stat.sha256) == (False, 1, sha256(b"2").hexdigest())
    assert archive.stat("/").is_folder


def test_any_old_version_is_readable(archive: DatArchive) -> None:
    assert archive.checkout(0).readdir() == []
    assert archive.checkout(1).read_file("/counter") == "1"
    old = archive.checkout(5)
    assert old.readdir("/photos") == ["a.bin", "b.txt"]
    assert old.readdir("/", recursive=True) == ["counter", "photos", "photos/a.bin", "photos/b.txt"]
    assert archive.checkout(3).readdir("/", recursive=True) == ["counter", "photos"]
    assert old.read_file("/photos/a.bin", "binary") == b"\xff\x00"
    assert old.read_file("/photos/a.bin", "hex") == "ff00"
    assert old.read_file("/photos/a.bin", "base64") == "/wA="
    assert old.read_file("/photos/a.bin") == "\ufffd\0"
    assert old.read_file("/photos/b.txt") == "é\ufeff"
    assert old.stat("/photos").mtime_ms == old.stat("/photos/a.bin").mtime_ms
    assert old.version == 5
    old.close()
    assert archive.read_file("/counter") == "2"


def test_a_file_in_pieces_and_a_folder_in_pages(archive: DatArchive) -> None:
    old = archive.checkout(5)
    file = old.open_file("/photos/b.txt")
    assert file.stat == old.stat("/photos/b.txt")
    assert b"".join(file.pieces(0, file.stat.size)) == "é\ufeff".encode()
    assert b"".join(file.pieces(1, 3)) == "é\ufeff".encode()[1:3]
    first = old.read_folder("/photos", limit=1)
    assert (first.children, first.after) == ([("a.bin", old.stat("/photos/a.bin"))], "a.bin")
    second = old.read_folder("/photos", first.after or "", limit=1)
    assert ([name for name, _ in second.children], second.after) == (["b.txt"], None)
    for error, call in (
        (NotFoundError, lambda: archive.open_file("/photos/b.txt")),
        (NotAFileError, lambda: old.open_file("/photos")),
        (NotAFolderError, lambda: old.read_folder("/counter", limit=1)),
        (LocalProtocolError, lambda: list(file.pieces(0, 99))),
    ):
        with pytest.raises(error):
            call()


def test_history(archive: DatArchive) -> None:
    assert [(item.version, item.path) for item in archive.history()][:3] == [
        (1, "/counter"),
        (2, "/counter"),
        (3, "/photos"),
    ]
    assert len(archive.checkout(5).history()) == 5
    newest = archive.history("/counter", reverse=True, limit=1)
    assert [item.version for item in newest] == [2]
    assert archive.history(start=7, end=8)[0].record is None


def test_refusals(archive: DatArchive) -> None:
    old = archive.checkout(5)
    for error, call in (
        (NotFoundError, lambda: archive.read_file("/photos/a.bin")),
        (NotFoundError, lambda: archive.stat("/photos")),
        (NotFoundError, lambda: archive.readdir("/photos")),
        (NotAFileError, lambda: old.read_file("/photos")),
        (NotAFileError, lambda: old.read_file("/", "json")),
        (NotAFolderError, lambda: old.readdir("/counter")),
        (InvalidPathError, lambda: old.read_file("/../counter")),
        (InvalidEncodingError, lambda: old.read_file("/counter", "latin1")),
        (InvalidEncodingError, lambda: old.read_file("/photos/b.txt", "json")),
        (UnknownVersionError, lambda: archive.checkout(9)),
        (UnknownVersionError, lambda: archive.checkout(-1)),
        (UnknownVersionError, lambda: old.checkout(6)),
    ):
        with pytest.raises(error):
            call()
    assert archive.read_file("/nothing", "json") is None


async def test_a_running_archive_follows(vm: VM) -> None:
    archive, pinned = vm.files_archive, vm.files_archive.checkout(2)
    await vm.exports.write("/counter", 3)
    assert archive.read_file("/counter", "json") == 3
    assert archive.version == 9
    assert pinned.read_file("/counter", "json") == 2
    archive.close()
    assert await vm.exports.write("/counter", 4) is None


def test_no_backend(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        DatArchive.open(tmp_path)


@pytest.mark.parametrize(
    ("member", "value"),
    [("sha256", "zz"), ("sha256", "00" * 32), ("size", 5), ("kind", "deleted"), ("path", "/a/b")],
)
async def test_a_log_that_lies_about_files_is_refused(
    vm: VM, tmp_path: Path, member: str, value: object
) -> None:
    await vm.close()

    def change(entry: dict[str, object]) -> None:
        entry["result"]["changes"][0][member] = value  # type: ignore[index]

    copy = host.cheat_entry(tmp_path / "backend", tmp_path / "copy", 2, change)
    with pytest.raises((StorageError, ProvedFalseError)) as caught:
        DatArchive.open(copy)
    assert isinstance(caught.value, NodeVMSError)


async def test_other_contents_are_not_shown(vm: VM, tmp_path: Path) -> None:
    await vm.close()
    host.cheat_contents(tmp_path / "backend", lambda blocks: [b"9", *blocks[1:]])
    with DatArchive.open(tmp_path / "backend") as archive:
        assert archive.read_file("/counter") == "2"
        with pytest.raises(StorageError) as caught:
            archive.checkout(1).read_file("/counter")
        assert caught.value.code == "content-damaged"
