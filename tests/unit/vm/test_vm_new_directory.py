"""A new backend's directory: whole and lasting when it is there, and no trouble if it fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodevms.errors import StorageError
from nodevms.sandbox import Engine
from nodevms.vm import directory, draft
from nodevms.vm.directory import Layout, read_description
from nodevms.vm.errors import DirectoryError, LockedError
from nodevms.vm.vm import VM
from nodevms.vm.writer_lock import WriterLock

SCRIPT = "exports.f = () => 1"


def all_below(place: Path) -> list[Path]:
    return list(place.rglob("*"))


async def begin(place: Path, engine: Engine) -> None:
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=place)
    await vm.close()


async def test_every_name_on_the_way_to_a_new_backend_lasts(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[int] = set()
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.add(os.fstat(fd).st_ino)
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    place = tmp_path / "new" / "deeper" / "b"
    await begin(place, engine)
    folders = [tmp_path, *(path for path in all_below(tmp_path) if path.is_dir())]
    assert len(folders) == 7
    assert [folder for folder in folders if folder.stat().st_ino not in synced] == []


async def test_a_start_that_was_killed_at_its_first_step_does_not_bar_the_next(
    tmp_path: Path, engine: Engine
) -> None:
    for text in ("", "4711\n"):
        place = tmp_path / f"b{len(text)}"
        place.mkdir()
        (place / "lock").write_text(text)
        await begin(place, engine)


@pytest.mark.parametrize("text", ["mine", "1" * 40, "4711\n\n"])
def test_a_lock_of_somebody_else_is_not_touched(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    with pytest.raises(DirectoryError):
        read_description(Layout(tmp_path))
    assert (tmp_path / "lock").read_text() == text


def test_a_lock_that_was_removed_while_somebody_waited_for_it_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path)
    first = WriterLock(layout)

    def sleep(_: float) -> None:
        layout.lock.unlink(missing_ok=True)
        first.release()

    monkeypatch.setattr("nodevms.vm.writer_lock.time.sleep", sleep)
    second = WriterLock(layout)
    with pytest.raises(LockedError):
        WriterLock(layout)
    second.release()


@pytest.mark.parametrize("exists", [False, True])
async def test_a_backend_whose_description_did_not_last_is_removed_again(
    exists: bool, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "b"
    if exists:
        place.mkdir()

    def fail(path: Path) -> None:
        if (path / "backend.json").exists() or (path / "b").exists():
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(directory, "sync_folder", fail)
        with pytest.raises(StorageError):
            await begin(place, engine)
    assert all_below(tmp_path) == ([place] if exists else [])
    await begin(place, engine)


async def test_a_backend_whose_name_did_not_last_is_removed_again(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> None:
        if (path / "b").exists():
            raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(draft, "sync_folder", fail)
        with pytest.raises(StorageError):
            await begin(tmp_path / "b", engine)
    await begin(tmp_path / "b", engine)
