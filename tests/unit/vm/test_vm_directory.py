from __future__ import annotations

from pathlib import Path

import pytest

from nodevms.vm.directory import (
    DIRECTORY_FORMAT,
    Description,
    Layout,
    read_description,
    write_description,
)
from nodevms.vm.errors import DirectoryError, LockedError
from nodevms.vm.writer_lock import WriterLock, is_locked

OURS = Description(format=DIRECTORY_FORMAT, call_log="0" * 64, files="1" * 64)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_a_description_comes_back(layout: Layout) -> None:
    write_description(layout, OURS)
    assert read_description(layout) == OURS


def test_a_missing_or_empty_directory_holds_nothing(layout: Layout) -> None:
    assert read_description(layout) is None
    assert read_description(Layout(layout.root / "missing" / "deeper")) is None


def test_a_stranger_s_directory_is_refused(layout: Layout) -> None:
    (layout.root / "letter.txt").write_text("dear")
    with pytest.raises(DirectoryError) as caught:
        read_description(layout)
    assert caught.value.code == "directory-foreign"
    assert caught.value.hint


def test_a_file_in_the_place_of_a_directory_is_refused(layout: Layout) -> None:
    file = layout.root / "file"
    file.write_text("")
    with pytest.raises(DirectoryError) as caught:
        read_description(Layout(file))
    assert caught.value.code == "directory-foreign"


def test_a_newer_format_is_refused(layout: Layout) -> None:
    write_description(layout, Description(format=DIRECTORY_FORMAT + 1))
    with pytest.raises(DirectoryError) as caught:
        read_description(layout)
    assert caught.value.code == "directory-newer"


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b'{"format":"1"}', b"\xff", b"[" * 70_000, b'{"format":1,' * 9999]
)
def test_a_damaged_description_is_refused(layout: Layout, text: bytes) -> None:
    layout.description.write_bytes(text)
    with pytest.raises(DirectoryError) as caught:
        read_description(layout)
    assert caught.value.code == "directory-damaged"


def test_one_writer_holds_the_lock(layout: Layout) -> None:
    assert not is_locked(layout)
    lock = WriterLock(layout)
    assert is_locked(layout)
    with pytest.raises(LockedError, match=r"in use by another process \(process \d+\)") as caught:
        WriterLock(layout)
    assert caught.value.exit_code == 2
    lock.release()
    lock.release()
    assert not is_locked(layout)
    WriterLock(layout).release()
