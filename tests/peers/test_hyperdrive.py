"""npm's hyperdrive 9 reads and extends what we write, and we read what it writes."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest
from hyperdrive_programs import clone_drive, files_of, read_drive, write_drive

from nodevms.archive.drive import Drive
from nodevms.archive.drive_errors import NotInDriveError
from nodevms.archive.drive_writer import DriveWriter
from nodevms.feed import Feed, KeyPair

sys.path.append(str(Path(__file__).parents[1] / "unit" / "archive"))
from drive_worlds import World, folders_of, parents_of, random_group, read_all

NAMES = ["a", "b", "c.txt", "ü", "a b", "__proto__"]
Operation = tuple[str, str, bytes]


def create(directory: Path, seed: int) -> tuple[Feed, Feed]:
    pair = KeyPair.from_seed(bytes([seed]) * 32)
    metadata = Feed.create(directory / "metadata", "", pair)
    return metadata, Feed.create(directory / "content", "", pair.content_key_pair())


def open_feeds(directory: Path, *, writable: bool) -> tuple[Feed, Feed]:
    """Open both feeds; hyperdrive stores no secret key for the content feed, so neither may we."""
    metadata = Feed.open(directory / "metadata", "", writable=writable)
    if writable:
        pair = KeyPair.from_secret(
            (directory / "metadata" / "secret_key").read_bytes(), metadata.key
        )
        secret = directory / "content" / "secret_key"
        secret.write_bytes(pair.content_key_pair().secret)
    return metadata, Feed.open(directory / "content", "", writable=writable)


def open_drive(directory: Path) -> Drive:
    return Drive(*open_feeds(directory, writable=False))


def assert_the_same(drive: Drive, found: dict, version: int | None = None) -> None:
    """Compare all that hyperdrive found at a version with what our reader finds."""
    files = files_of(found)
    for path, half in files_of(found, "halves").items():
        assert half == files[path][len(files[path]) // 2 :]
    for folder, names in found["readdir"].items():
        assert drive.list(folder, version) == sorted(names)
    for path, theirs in found["stat"].items():
        ours = drive.stat(path, version)
        assert (ours.mode, ours.size, ours.mtime_ms, ours.offset, ours.byte_offset) == (
            theirs["mode"],
            theirs["size"],
            theirs["mtime"],
            theirs["offset"],
            theirs["byteOffset"],
        )
        if path in files:
            assert drive.read(path, version) == files[path]
    walked = {path for path, stat in drive.walk(version) if not stat.is_folder}
    assert walked == set(files)


def random_operations(rng: random.Random, count: int, *, deletions: float) -> list[Operation]:
    made: list[str] = []
    operations: list[Operation] = []
    for _ in range(count):
        path = "".join(f"/{rng.choice(NAMES)}" for _ in range(rng.randint(1, 4)))
        if made and rng.random() < deletions:
            operations.append(("unlink", made.pop(rng.randrange(len(made))), b""))
        elif rng.random() < 0.15:
            made.append(path)
            operations.append(("mkdir", path, b""))
        else:
            made.append(path)
            size = rng.choice([0, 1, 100, 70_000])
            operations.append(("writeFile", path, rng.randbytes(size)))
    return operations


@pytest.mark.parametrize("seed", [1, 2])
def test_hyperdrive_reads_every_publication_and_extends_the_last(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    metadata, content = create(tmp_path, seed)
    world = World(metadata, content, cached_names_max=20)
    for _ in range(12):
        world.publish(random_group(world, rng, rng.randint(1, 15)))
    world.publish([world.change("/big", rng.randbytes(200_000))])
    metadata.close()
    content.close()

    ends = sorted(world.ends)[1:]
    found = read_drive(tmp_path, ends)
    drive = open_drive(tmp_path)
    assert found["version"] == ends[-1]
    for version in ends:
        model = world.ends[version]
        theirs = found["versions"][str(version)]
        assert files_of(theirs) == {path: data for path, data in model.items() if data is not None}
        assert {folder: sorted(names) for folder, names in theirs["readdir"].items()} == (
            folders_of(model)
        )
        assert_the_same(drive, theirs, version)
    kinds = [(item.version, item.path, item.kind == "deleted") for item in drive.history()]
    assert [(at, path, kind == "del") for at, kind, path in found["history"]] == kinds

    extra: list[Operation] = [
        ("writeFile", "/a/new", b"new"),
        ("unlink", "/big", b""),
        ("mkdir", "/another", b""),
        ("writeFile", "/another/file", b"x" * 70_000),
        ("writeFile", "/z/y/x", b"deep"),
        ("unlink", "/another/file", b""),
    ]
    write_drive(tmp_path, extra)
    model = dict(world.model)
    model.update({"/a/new": b"new", "/another": None, "/z/y/x": b"deep"})
    del model["/big"]
    drive = open_drive(tmp_path)
    assert drive.version == ends[-1] + len(extra)
    assert read_all(drive) == model
    assert_the_same(drive, read_drive(tmp_path, [drive.version])["versions"][str(drive.version)])


def test_hyperdrive_sees_the_same_differences_between_publications(tmp_path: Path) -> None:
    rng = random.Random(5)
    world = World(*create(tmp_path, 5))
    for _ in range(10):
        world.publish(random_group(world, rng, 6))
    ends = sorted(world.ends)[1:]
    found = read_drive(tmp_path, ends)
    # hyperdrive's diff leaves out a folder's own entry while something is in it.
    stats = {
        version: {path: stat for path, stat in world.drive().walk(version) if not stat.is_folder}
        for version in [0, *ends]
    }
    for before, after, diff in zip([0, *ends], ends, found["diffs"], strict=False):
        old, new = stats[before], stats[after]
        puts = {path for kind, path in diff if kind == "put" and path in new}
        dels = {path for kind, path in diff if kind == "del" and path in old}
        assert puts == {path for path in new if new[path] != old.get(path)}
        assert dels == {path for path in old if new.get(path) != old[path]}


def test_a_clone_of_the_latest_version_gets_every_new_file_and_loses_none(tmp_path: Path) -> None:
    """What `dat` does; a deleted folder or empty file must not take block 0 along."""
    source, clone = tmp_path / "source", tmp_path / "clone"
    rng = random.Random(6)
    feeds = create(source, 6)
    world = World(*feeds)
    empty = world.change("/empty", b"")
    groups = [
        [empty, world.change("/first", b"in block 0"), world.change("/folder", None)],
        [world.change("/p", None), world.change("/p/in", b"x"), world.change("/p/on", b"y")],
        [world.delete("/empty"), world.delete("/folder"), world.delete("/p/in")],
        [world.delete("/p/on"), world.change("/p", b"a file now")],
    ]
    for group in groups:
        world.publish(group)
        found = clone_drive(source, clone)
        assert found["version"] == world.publisher.version
    assert files_of(found) == {"/first": b"in block 0", "/p": b"a file now"}
    for _ in range(4):
        world.publish(random_group(world, rng, 8))
    found = clone_drive(source, clone)
    assert files_of(found) == {path: data for path, data in world.model.items() if data is not None}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_we_read_what_hyperdrive_wrote(tmp_path: Path, seed: int) -> None:
    operations = random_operations(random.Random(seed), 150, deletions=0.3)
    told = write_drive(tmp_path, operations)
    drive = open_drive(tmp_path)
    assert drive.version == told["version"] == len(operations)
    versions = [*range(10, len(operations), 10), len(operations)]
    for version, found in read_drive(tmp_path, versions)["versions"].items():
        assert_the_same(drive, found, int(version))


def test_one_change_at_a_time_gives_the_bytes_of_hyperdrive(tmp_path: Path) -> None:
    """With its keys, times and operations; deletions where it would lose files left out."""
    rng = random.Random(9)
    operations: list[Operation] = []
    for index, operation in enumerate(random_operations(rng, 80, deletions=0.0)):
        operations.append(operation)
        if index % 3 == 0:
            folder = rng.choice([operation[1], f"/lonely {index}", ""])
            operations.append(("writeFile", f"{folder}/gone", b"x"))
            if rng.random() < 0.5:
                operations.append(("writeFile", f"{folder}/keep", b"y"))
            operations.append(("writeFile", "/keep", b"z"))
            operations.append(("unlink", f"{folder}/gone", b""))
    theirs_at, ours_at = tmp_path / "theirs", tmp_path / "ours"
    write_drive(theirs_at, operations)
    theirs, _ = open_feeds(theirs_at, writable=False)
    secret = (theirs_at / "metadata" / "secret_key").read_bytes()
    pair = KeyPair.from_secret(secret, theirs.key)
    metadata = Feed.create(ours_at / "metadata", "", pair)
    content = Feed.create(ours_at / "content", "", pair.content_key_pair())
    writer = DriveWriter(metadata, content)
    history = Drive(*open_feeds(theirs_at, writable=False)).history()
    for (name, path, data), made_by_them in zip(operations, history, strict=True):
        time_ms = made_by_them.stat.mtime_ms if made_by_them.stat else 0
        if name == "writeFile":
            writer.write_file(path, data, mtime_ms=time_ms)
        elif name == "mkdir":
            writer.mkdir(path, mtime_ms=time_ms)
        else:
            writer.unlink(path)
        seq = made_by_them.version
        assert metadata.get(seq) == theirs.get(seq), f"{name} {path}"
    metadata.close()
    content.close()
    for file in ("data", "tree", "bitfield", "signatures"):
        assert (ours_at / "metadata" / file).read_bytes() == (
            theirs_at / "metadata" / file
        ).read_bytes()
    for file in ("data", "tree", "bitfield"):
        assert (ours_at / "content" / file).read_bytes() == (
            theirs_at / "content" / file
        ).read_bytes()


def test_we_extend_what_hyperdrive_wrote_and_it_reads_the_result(tmp_path: Path) -> None:
    rng = random.Random(4)
    write_drive(tmp_path, random_operations(rng, 60, deletions=0.1))
    feeds = open_feeds(tmp_path, writable=True)
    writer = DriveWriter(*feeds)
    for _ in range(60):
        path = "".join(f"/{rng.choice(NAMES)}" for _ in range(rng.randint(1, 3)))
        there = [path for path, stat in writer.walk() if not stat.is_folder]
        if there and rng.random() < 0.3:
            before = read_all(writer)
            gone = rng.choice(there)
            writer.unlink(gone)
            del before[gone]
            assert read_all(writer) == before
        else:
            writer.write_file(path, rng.randbytes(50), mtime_ms=1_500_000_000_000)
    (tmp_path / "content" / "secret_key").unlink()
    for feed in feeds:
        feed.close()
    drive = open_drive(tmp_path)
    found = read_drive(tmp_path, [drive.version])
    assert_the_same(drive, found["versions"][str(drive.version)])


def test_hyperdrive_itself_loses_a_file_where_we_keep_it(tmp_path: Path) -> None:
    """Why our deletion is not its own in one case: only a deletion stands for a living folder."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    files = ["/p/a/b", "/p/a/c", "/p/x"]
    gone = ["/p/a/b", "/p/x"]
    write_drive(
        theirs,
        [("writeFile", path, b"x") for path in files] + [("unlink", path, b"") for path in gone],
    )
    with pytest.raises(NotInDriveError):
        open_drive(theirs).read("/p/a/c")
    writer = DriveWriter(*create(ours, 1))
    for path in files:
        writer.write_file(path, b"x", mtime_ms=1)
    for path in gone:
        writer.unlink(path)
    assert files_of(read_drive(ours, [5])["versions"]["5"]) == {"/p/a/c": b"x"}
    assert parents_of("/p/a/c") == ["/p", "/p/a"]
