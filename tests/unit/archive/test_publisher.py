"""Publications: what a reader finds, what they cost, and what is refused."""

from __future__ import annotations

import random

import pytest
from drive_memory_feed import MemoryFeed
from drive_worlds import World, folders_of, random_group, read_all, record_of

from nodevms.archive.drive import Drive
from nodevms.archive.drive_check import DriveChecker, publications
from nodevms.archive.drive_errors import BadDriveError, NotInDriveError
from nodevms.archive.drive_writer import DriveWriter
from nodevms.archive.publication import CHANGES_MAX, PublicationPlanner, Published
from nodevms.archive.publisher import Publisher
from nodevms.archive.tree_node import TreeNode
from nodevms.errors import LocalProtocolError, StorageError

GOLDEN = [
    "0a042f66 2f611216 08a48302 10001800 20012801 30003800 40e90748 e9071a04 01000000",  # /f/a
    "0a042f66 2f621216 08a48302 10001800 20022801 30013801 40ea0748 ea071a05 01000101 00",  # /f/b
    "0a022f78 121608a4 83021000 18002000 28003002 380040eb 0748eb07 1a040101 02008801 02",  # /x
    "0a042f66 2f611a03 000000",  # /f/a
    "0a022f78 1a020000",  # /x
    "0a022f66 120e08ed 83013001 380040ec 0748ec07 1a040100 01028801 03",  # /f
    "0a022f66 1a020000",  # /f
    "0a042f66 2f621a02 00008801 04",  # /f/b
]


def nodes_of(world: World) -> list[TreeNode]:
    return [
        TreeNode.decode(seq, world.metadata.blocks[seq]) for seq in range(1, world.metadata.length)
    ]


def test_a_publication_is_one_batch_in_path_order_with_deletions_first() -> None:
    world = World()
    changes = [world.change("/b", b"2"), world.change("/a.txt", b"1"), world.change("/a", None)]
    changes.append(world.change("/a/x", b"3"))
    assert world.publish(changes) == 4
    assert [node.path for node in nodes_of(world)] == ["/a", "/a.txt", "/a/x", "/b"]
    assert world.metadata.synced_length == 5
    world.publish([world.change("/a.txt", b"4"), world.delete("/b"), world.delete("/a/x")])
    assert [node.path for node in nodes_of(world)[4:]] == ["/a/x", "/b", "/a.txt"]
    assert read_all(world.drive()) == world.model


def test_the_bytes_of_a_publication_stay_what_they_are() -> None:
    """Verifiers of every release must write these same blocks for these changes."""
    world = World()
    world.time_ms = 1000
    world.publish(
        [world.change("/f/a", b"1"), world.change("/f/b", b"22"), world.change("/x", b"")]
    )
    world.publish([world.delete("/f/a"), world.change("/f", None), world.delete("/x")])
    world.publish([world.delete("/f/b"), world.delete("/f")])
    assert [block.hex(" ", -4) for block in world.metadata.blocks[1:]] == GOLDEN


def test_stat_says_where_the_content_is() -> None:
    world = World()
    world.change("/unused", b"x" * 100)
    big = bytes(100_000)
    world.publish([world.change("/big", big), world.change("/empty", b"")])
    stat = world.drive().stat("/big")
    assert (stat.size, stat.blocks, stat.offset, stat.byte_offset) == (100_000, 2, 1, 100)
    assert (stat.mode, stat.uid, stat.gid) == (0o100644, 0, 0)
    assert stat.mtime_ms == stat.ctime_ms == world.time_ms - 1
    assert world.drive().read("/big") == big
    assert world.drive().read("/empty") == b""


def test_what_has_no_content_never_points_to_block_0() -> None:
    """A reader of the latest version clears a deleted place; "0 to 0" would clear block 0."""
    world = World()
    world.publish([world.change("/empty", b""), world.change("/folder", None)])
    drive = world.drive()
    assert drive.stat("/empty").offset == drive.stat("/folder").offset == 1


def test_a_folder_is_listed_in_full_once_a_publication() -> None:
    world = World()
    world.publish([world.change(f"/d/{index}", b"x") for index in range(1000)])
    before = world.metadata.byte_length
    world.publish([world.change(f"/d/{index}", b"y") for index in range(500)])
    lists = [len(node.siblings(1)) for node in nodes_of(world)[1000:]]
    assert lists[-1] == 1000
    assert set(lists[:-1]) == {1}
    assert world.metadata.byte_length - before < 500 * 60 + 2500


def test_metadata_of_4000_files_in_a_few_publications_stays_linear() -> None:
    sizes = {}
    for count in (1000, 4000):
        world = World()
        for start in range(0, count, count // 4):
            names = range(start, start + count // 4)
            world.publish([world.change(f"/files/{index:05}", b"x") for index in names])
        sizes[count] = world.metadata.byte_length
        assert len(world.drive().list("/files")) == count
    assert sizes[4000] < 4.2 * sizes[1000]
    assert sizes[4000] < 4000 * 60


def test_a_folder_whose_children_all_vanish_is_gone_or_empty() -> None:
    world = World()
    world.publish(
        [
            world.change("/keep", b"k"),
            world.change("/made", None),
            world.change("/made/x", b"1"),
            world.change("/implied/x", b"2"),
        ]
    )
    world.publish([world.delete("/made/x"), world.delete("/implied/x")])
    drive = world.drive()
    assert drive.list("/") == ["keep", "made"]
    assert drive.list("/made") == []
    assert drive.stat("/made").is_folder
    with pytest.raises(NotInDriveError):
        drive.list("/implied")


def test_everything_can_be_deleted_and_come_back() -> None:
    world = World()
    world.publish([world.change("/a/b/c", b"1"), world.change("/x", b"2")])
    world.publish([world.delete("/a/b/c"), world.delete("/x")])
    assert world.drive().list("/") == []
    assert list(world.drive().walk()) == []
    world.publish([world.change("/a/b/d", b"3")])
    assert read_all(world.drive()) == {"/a/b/d": b"3"}


@pytest.mark.parametrize("together", [True, False])
def test_a_path_can_change_its_kind(together: bool) -> None:
    world = World()
    world.publish([world.change("/p", b"file"), world.change("/q", None)])
    world.publish([world.change("/q/in", b"x")])
    to_folder = [world.change("/p", None), world.change("/p/in", b"y")]
    to_file = [world.delete("/q/in"), world.change("/q", b"file now")]
    for group in [to_folder + to_file] if together else [to_folder, to_file]:
        world.publish(group)
    assert read_all(world.drive()) == {"/p": None, "/p/in": b"y", "/q": b"file now"}
    assert world.drive().list("/q") == []


def test_deleting_what_was_never_published_leaves_nothing() -> None:
    world = World()
    version = world.publish([world.change("/a", b"1")])
    marker = world.publisher.last_marker()
    assert world.publish([world.delete("/b"), world.delete("/a/b")]) == version
    assert world.publisher.last_marker() == marker
    assert world.publish([world.delete("/b"), world.change("/c", b"2")]) == version + 1


def test_the_marker_stands_in_the_last_node_and_is_read_back() -> None:
    world = World()
    assert world.publisher.last_marker() == 0
    world.publisher.publish([world.change("/a", b"1"), world.change("/b", b"2")], 7)
    assert [node.marker for node in nodes_of(world)] == [None, 7]
    world.reopen()
    assert world.publisher.last_marker() == 7
    for marker in (0, 6, 7):
        with pytest.raises(LocalProtocolError):
            world.publisher.publish([world.change("/c", b"3")], marker)
    assert world.metadata.length == 3


def test_a_drive_that_somebody_else_wrote_to_is_refused() -> None:
    metadata, content = MemoryFeed(b"m" * 32), MemoryFeed(b"c" * 32)
    DriveWriter(metadata, content).write_file("/x", b"x", mtime_ms=1)
    with pytest.raises(StorageError) as caught:
        Publisher(metadata, content)
    assert caught.value.fatal
    with pytest.raises(BadDriveError):
        Publisher(metadata, MemoryFeed(b"d" * 32))


def test_impossible_changes_are_refused_and_nothing_is_written() -> None:
    world = World()
    world.publish([world.change("/a", b"1")])
    good = world.change("/b", b"2")
    bad: list[list[Published]] = [
        [good, good],
        [Published("/", "folder", record_of(None, 0, 1))],
        [Published("relative", "file", record_of(b"x", 0, 1))],
        [Published("/a/../b", "file", record_of(b"x", 0, 1))],
        [Published("/" + "x" * 5000, "file", record_of(b"x", 0, 1))],
        [Published("/b", "file", None)],
        [Published("/b", "folder", record_of(b"x", 0, 1))],
        [Published("/b", "deleted", record_of(b"x", 0, 1))],
        [Published("/b", "file", record_of(b"x", 2, 1))],
        [
            Published(f"/{index}", "folder", record_of(None, 0, 1))
            for index in range(CHANGES_MAX + 1)
        ],
    ]
    for changes in bad:
        with pytest.raises(LocalProtocolError):
            world.publisher.publish(changes, 99)
    assert world.metadata.length == 2
    world.publish([good])
    assert read_all(world.drive()) == {"/a": b"1", "/b": b"2"}


def test_content_that_is_not_synced_is_not_published() -> None:
    world = World()
    world.content.append([b"x"])
    with pytest.raises(LocalProtocolError) as caught:
        world.publisher.publish([Published("/x", "file", record_of(b"x", 0, 1))], 5)
    assert caught.value.code == "content-not-synced"


class BrokenFeed(MemoryFeed):
    broken = False

    def append(self, blocks: object) -> int:
        if self.broken:
            raise StorageError("no space")
        return super().append(blocks)  # type: ignore[arg-type]


def test_after_a_failed_append_the_next_publication_is_right() -> None:
    world = World()
    world.metadata.__class__ = BrokenFeed
    world.publish([world.change("/d/a", b"1"), world.change("/d/b", b"2")])
    world.metadata.broken = True  # type: ignore[attr-defined]
    lost = [world.delete("/d/a"), world.change("/d/c", b"3")]
    with pytest.raises(StorageError):
        world.publish(lost)
    world.metadata.broken = False  # type: ignore[attr-defined]
    world.publish(lost)
    assert read_all(world.drive()) == world.model


def test_a_folder_too_large_for_a_block_is_refused_and_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.publish([world.change(f"/d/{index}", b"1") for index in range(100)])
    monkeypatch.setattr("nodevms.archive.publication.BLOCK_BYTES_MAX", 100)
    with pytest.raises(LocalProtocolError) as caught:
        world.publisher.publish([world.change("/d/more", b"2")], 50)
    assert caught.value.code == "folder-too-large"
    del world.model["/d/more"]
    monkeypatch.undo()
    world.publish([world.delete("/d/0")])
    assert read_all(world.drive()) == world.model
    assert world.drive().list("/d") == folders_of(world.model)["/d"]


@pytest.mark.parametrize("seed", range(6))
def test_random_publications_read_back_at_every_end(seed: int) -> None:
    rng = random.Random(seed)
    world = World(cached_names_max=rng.choice([0, 5, 100_000]))
    for _ in range(25):
        world.publish(random_group(world, rng, rng.randint(1, 12)))
        if rng.random() < 0.2:
            world.reopen()
    drive = world.drive()
    for version, model in world.ends.items():
        assert read_all(drive, version) == model
        for folder, names in folders_of(model).items():
            assert drive.list(folder, version) == names


def test_the_cache_changes_no_byte() -> None:
    worlds = [World(cached_names_max=0), World(cached_names_max=3), World()]
    for world in worlds:
        rng = random.Random(1)
        for _ in range(30):
            world.publish(random_group(world, rng, 5))
    assert worlds[0].metadata.blocks == worlds[1].metadata.blocks == worlds[2].metadata.blocks


def test_a_cached_folder_is_not_read_again() -> None:
    world = World()
    world.publish([world.change(f"/d/{index}", b"x") for index in range(300)])
    world.metadata.reads = 0
    world.publish([world.change("/d/new", b"x")])
    assert world.metadata.reads < 10
    world.reopen()
    world.metadata.reads = 0
    world.publish([world.change("/d/newer", b"x")])
    assert world.metadata.reads > 300


def test_a_verifier_finds_every_honest_publication_right() -> None:
    world = World()
    rng = random.Random(3)
    for _ in range(20):
        world.publish(random_group(world, rng, 6))
    checker = DriveChecker(world.metadata, world.content, world.content.key)
    found = list(publications(world.metadata))
    assert len(found) == len(world.published) > 10
    for publication, changes in zip(found, world.published, strict=True):
        checker.check(publication, changes)
        wrote = {change.path: change.kind for change in publication.changes}
        honest = {change.path: change.kind for change in changes}
        assert wrote.items() <= honest.items()


def lies(world: World, changes: list[Published]) -> dict[str, list[Published]]:
    """What a cheating host might publish in place of the given changes."""
    first = changes[0]
    moved = record_of(b"zz", world.content.length - 1, world.time_ms)
    return {
        "one left out": changes[:-1],
        "one added": [*changes, world.change("/zzz", b"zz")],
        "another content": [Published(first.path, "file", moved), *changes[1:]],
        "deleted instead": [
            *changes[:-1],
            world.change("/zzzz", b"1"),
        ],
    }


def test_a_verifier_catches_every_lie_and_names_the_block() -> None:
    honest = World()
    honest.publish([honest.change("/d/a", b"1"), honest.change("/d/b", b"2")])
    changes = [honest.change("/d/a", b"22"), honest.change("/d/c", b"3")]
    for lie in lies(honest, changes).values():
        world = World()
        world.content = honest.content
        world.reopen = lambda: None  # type: ignore[method-assign]
        world.metadata.blocks = list(honest.metadata.blocks)
        publisher = Publisher(world.metadata, world.content)
        publisher.publish(lie, 9)
        checker = DriveChecker(world.metadata, world.content, world.content.key)
        first, second = publications(world.metadata)
        checker.check(first, honest.published[0])
        with pytest.raises(BadDriveError) as caught:
            checker.check(second, changes)
        assert caught.value.code == "publication-differs"
        assert caught.value.seq is not None
        assert caught.value.seq >= 3


def test_a_publication_of_nothing_that_changed_is_caught() -> None:
    world = World()
    world.publish([world.change("/a", b"1")])
    (publication,) = publications(world.metadata)
    checker = DriveChecker(world.metadata, world.content, world.content.key)
    with pytest.raises(BadDriveError) as caught:
        checker.check(publication, [])
    assert caught.value.code == "publication-differs"
    assert "/a should not" in str(caught.value)


def test_a_list_that_hides_a_file_is_caught() -> None:
    """The names and stats are right, and yet a reader would not find the file."""
    world = World()
    changes = [world.change("/a", b"1"), world.change("/b", b"2"), world.change("/c", b"3")]
    world.publish(changes)
    last = TreeNode.decode(3, world.metadata.blocks[3])
    world.metadata.blocks[3] = with_paths(world.metadata.blocks[3], last, bytes([1, 1, 2, 0]))
    assert Drive(world.metadata, world.content).list("/") == ["b", "c"]
    checker = DriveChecker(world.metadata, world.content, world.content.key)
    (publication,) = publications(world.metadata)
    with pytest.raises(BadDriveError) as caught:
        checker.check(publication, changes)
    assert caught.value.seq == 3


def with_paths(block: bytes, node: TreeNode, paths: bytes) -> bytes:
    old = bytes([0x1A, len(node.paths)]) + node.paths
    return block.replace(old, bytes([0x1A, len(paths)]) + paths)


def test_a_drive_that_ends_inside_a_publication_is_proved_false() -> None:
    world = World()
    world.publish([world.change("/a", b"1"), world.change("/b", b"2")])
    world.metadata.blocks.pop()
    with pytest.raises(BadDriveError) as caught:
        list(publications(world.metadata))
    assert caught.value.seq == 1


def test_a_marker_that_does_not_grow_is_proved_false() -> None:
    world = World()
    world.publish([world.change("/a", b"1")])
    planner = PublicationPlanner(
        lambda seq: TreeNode.decode(seq, world.metadata.get(seq)), world.content
    )
    world.metadata.append(planner.plan(1, [world.change("/b", b"2")], 1))
    with pytest.raises(BadDriveError) as caught:
        list(publications(world.metadata))
    assert caught.value.seq == 2
