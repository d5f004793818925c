"""A version of a drive is found from the blocks that it needs, and from no others."""

from __future__ import annotations

import random

import pytest
from drive_memory_feed import MemoryFeed
from drive_worlds import World, random_group, read_all

from nodevms.archive import BadDriveError, Drive, DriveWriter, TreeScan
from nodevms.archive.messages import Stat
from nodevms.archive.tree_node import TreeNode, encode_node


class Holes:
    """A feed of which only what was asked for is here."""

    def __init__(self, feed: MemoryFeed) -> None:
        self.feed = feed
        self.here: set[int] = set()

    def has(self, index: int) -> bool:
        return index in self.here

    def get(self, index: int) -> bytes:
        assert index in self.here
        return self.feed.get(index)


def scan_all(feed: MemoryFeed, version: int) -> tuple[dict[str, Stat], int, int]:
    """Return what a scan found, how many blocks it needed, and in how many rounds."""
    holes = Holes(feed)
    scan = TreeScan(holes, version)
    found: dict[str, Stat] = {}
    rounds = 0
    while not scan.done:
        holes.here.update(scan.missing)
        rounds += 1
        for node in scan.advance():
            assert node.path not in found
            found[node.path] = Stat.decode(node.value or b"", seq=node.seq)
    assert scan.missing == []
    return found, len(holes.here), rounds


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_scan_with_holes_finds_what_a_walk_finds(seed: int) -> None:
    rng = random.Random(seed)
    world = World()
    for _ in range(12):
        world.publish(random_group(world, rng, rng.randint(1, 12)))
    for version in world.ends:
        assert scan_all(world.metadata, version)[0] == dict(world.drive().walk(version))


def test_a_long_history_of_few_files_is_read_from_few_blocks() -> None:
    metadata, content = MemoryFeed(b"m" * 32), MemoryFeed(b"c" * 32)
    writer = DriveWriter(metadata, content)
    for index in range(600):
        writer.write_file(f"/folder {index % 3}/file {index % 9}", b"x", mtime_ms=index)
    found, needed, rounds = scan_all(metadata, writer.version)
    assert found == dict(Drive(metadata, content).walk())
    assert needed <= 12
    assert rounds <= 4


def test_the_empty_version_needs_no_block() -> None:
    world = World()
    assert scan_all(world.metadata, 0) == ({}, 0, 0)


def test_lists_that_lead_elsewhere_are_proved_false() -> None:
    stat = Stat(mode=0o100644).encode()
    for lists in ([[1, 2], [1, 2]], [[2], [1]]):
        feed = MemoryFeed()
        feed.append([b"", encode_node(1, ("a",), stat, [[1], [1]])])
        feed.append([encode_node(2, ("b",), stat, lists)])
        with pytest.raises(BadDriveError):
            scan_all(feed, 2)
    feed = MemoryFeed()
    feed.append([b"", encode_node(1, ("a",), None, [[1], [1]])])
    with pytest.raises(BadDriveError, match="deletion"):
        scan_all(feed, 1)


def test_a_scan_can_be_ended_between_two_folders() -> None:
    world = World()
    world.publish([world.change(f"/{index}/x", b"x") for index in range(50)])
    left = list(range(20))
    found: list[TreeNode] = []
    scan = TreeScan(Full(world.metadata), 50).advance(lambda: left.pop() and None)
    with pytest.raises(IndexError):
        found.extend(scan)
    assert 0 < len(found) < 20
    assert len(read_all(world.drive())) == 50


class Full(Holes):
    def has(self, index: int) -> bool:
        self.here.add(index)
        return True
