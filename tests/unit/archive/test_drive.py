"""Reading and writing a drive, and drives that were signed to deceive."""

from __future__ import annotations

import pytest
from drive_memory_feed import MemoryFeed

from nodevms.archive.drive import FILE_MODE, FOLDER_MODE, Drive
from nodevms.archive.drive_errors import BadDriveError, NotInDriveError
from nodevms.archive.drive_writer import DriveWriter, create_drive
from nodevms.archive.messages import Stat, encode_index
from nodevms.archive.tree_node import encode_node, split_path
from nodevms.errors import CouldNotCheckError, LocalProtocolError, UsageError


@pytest.fixture
def feeds() -> tuple[MemoryFeed, MemoryFeed]:
    return MemoryFeed(b"m" * 32), MemoryFeed(b"c" * 32)


Feeds = tuple[MemoryFeed, MemoryFeed]


def test_a_new_drive_is_empty(feeds: Feeds) -> None:
    writer = DriveWriter(*feeds)
    assert writer.version == 0
    assert writer.list("/") == []
    assert writer.stat("/").is_folder
    assert list(writer.walk()) == list(writer.history()) == []
    with pytest.raises(LocalProtocolError):
        create_drive(feeds[0], feeds[1].key)


def test_changes_are_versions_and_old_ones_stay(feeds: Feeds) -> None:
    writer = DriveWriter(*feeds)
    assert writer.write_file("/a/b", b"one", mtime_ms=1) == 1
    assert writer.write_file("/a/b", b"two", mtime_ms=2) == 2
    assert writer.mkdir("/a/empty", mtime_ms=3) == 3
    assert writer.unlink("/a/b") == 4
    assert writer.rmdir("/a/empty") == 5
    assert [writer.read("/a/b", version) for version in (1, 2, 3)] == [b"one", b"two", b"two"]
    assert writer.list("/a", 3) == ["b", "empty"]
    assert writer.list("/a", 4) == ["empty"]
    assert writer.list("/") == []
    kinds = [(item.kind, item.path) for item in writer.history(2, 5)]
    assert kinds == [("file", "/a/b"), ("folder", "/a/empty"), ("deleted", "/a/b")]


def test_stat_of_a_file_a_folder_and_a_folder_by_its_content(feeds: Feeds) -> None:
    writer = DriveWriter(*feeds)
    writer.mkdir("/made", mtime_ms=5)
    writer.write_file("/implied/x", b"123", mtime_ms=6)
    assert writer.stat("/made") == Stat(mode=FOLDER_MODE, mtime_ms=5, ctime_ms=5)
    assert writer.stat("/implied") == Stat(mode=FOLDER_MODE)
    expected = Stat(mode=FILE_MODE, size=3, blocks=1, mtime_ms=6, ctime_ms=6)
    assert writer.stat("/implied/x") == expected


def test_what_is_not_there_is_said_to_be_not_there(feeds: Feeds) -> None:
    writer = DriveWriter(*feeds)
    writer.mkdir("/folder", mtime_ms=1)
    writer.write_file("/folder/x", b"", mtime_ms=1)
    for action in (writer.read, writer.list, writer.stat, writer.unlink, writer.rmdir):
        with pytest.raises(NotInDriveError):
            action("/nothing")
        with pytest.raises(UsageError):
            action("not/absolute")
    with pytest.raises(NotInDriveError):
        writer.read("/folder")
    with pytest.raises(UsageError):
        writer.rmdir("/folder")
    for version in (-1, 3):
        with pytest.raises(NotInDriveError):
            writer.list("/", version)


def test_the_header_must_name_the_content_feed(feeds: Feeds) -> None:
    metadata, content = feeds
    with pytest.raises(CouldNotCheckError):
        Drive(metadata, content)
    metadata.append([encode_index(b"x" * 32)])
    with pytest.raises(BadDriveError) as caught:
        Drive(metadata, content)
    assert caught.value.seq == 0


def signed(feeds: Feeds, stat: Stat, path: str = "/x") -> Drive:
    """Return a drive whose only node has this stat, whatever it claims."""
    metadata, content = feeds
    create_drive(metadata, content.key)
    names = split_path(path)
    metadata.append([encode_node(1, names, stat.encode(), [[1]] * (len(names) + 1))])
    return Drive(metadata, content, file_bytes_max=1000)


@pytest.mark.parametrize(
    "stat",
    [
        Stat(mode=FILE_MODE, size=3, blocks=1, offset=5),
        Stat(mode=FILE_MODE, size=3, blocks=2**50),
        Stat(mode=FILE_MODE, size=4, blocks=1),
        Stat(mode=FILE_MODE, size=2, blocks=1),
        Stat(mode=FILE_MODE, size=1, blocks=0),
    ],
)
def test_a_stat_that_its_content_contradicts_is_proved_false(feeds: Feeds, stat: Stat) -> None:
    feeds[1].append([b"abc"])
    with pytest.raises(BadDriveError):
        signed(feeds, stat).read("/x")


def test_a_huge_file_is_not_read(feeds: Feeds) -> None:
    with pytest.raises(CouldNotCheckError):
        signed(feeds, Stat(mode=FILE_MODE, size=1001, blocks=1)).read("/x")


def test_a_block_that_is_no_node_is_proved_false_with_its_number(feeds: Feeds) -> None:
    writer = DriveWriter(*feeds)
    writer.write_file("/a", b"1", mtime_ms=1)
    feeds[0].append([b"\xff\xff"])
    for action in (lambda: writer.list("/"), lambda: list(writer.history())):
        with pytest.raises(BadDriveError) as caught:
            action()
        assert caught.value.seq == 2
    assert writer.list("/", 1) == ["a"]
