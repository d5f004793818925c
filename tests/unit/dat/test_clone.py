"""A drive in a folder: whole, interrupted, brought up to date, and nobody's work lost."""

from __future__ import annotations

import os
import random
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from clone_worlds import NOW, Interrupted, Source, clone, files_in, with_folders

from nodevms.dat.clone import ClonePlace
from nodevms.errors import StorageError, UsageError


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "clone"


def test_a_folder_gets_what_the_drive_has(source: Source, target: Path) -> None:
    source.write("/a.txt", b"hello")
    source.write("/sub/deep/big.bin", random.Random(1).randbytes(200_000))
    source.write("/sub/empty", b"")
    source.drive.mkdir("/bare", mtime_ms=1)
    source.write("/ünï/日本 .txt", b"\x00\xff")
    result = clone(source, target)
    assert files_in(target) == with_folders(source.model)
    assert (result.version, result.files, result.written) == (5, 4, 4)
    assert result.bytes == result.downloaded == 200_007
    assert (result.deleted, result.changed, result.kept, result.skipped) == (0, [], {}, [])
    there = (target / "a.txt").stat()
    assert there.st_mtime_ns == 1_500_000_001_000 * 1_000_000
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(there.st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((target / ".dat").stat().st_mode) == 0o700
    assert (target / ".dat" / "metadata.latest").read_bytes() == (5).to_bytes(8, "big")


def test_contents_are_on_the_disk_once(source: Source, target: Path) -> None:
    source.write("/big", random.Random(2).randbytes(1_000_000))
    clone(source, target)
    kept = sum(path.stat().st_size for path in (target / ".dat").rglob("*") if path.is_file())
    assert kept < 200_000
    assert list((target / ".dat" / "parts").iterdir()) == []


def test_each_version_can_be_had_forwards_and_backwards(source: Source, target: Path) -> None:
    rng = random.Random(3)
    models = {0: {}}
    for _ in range(40):
        path = "".join(f"/{rng.choice('abc')}{depth}" for depth in range(rng.randint(1, 3)))
        path += ".txt"
        there = sorted(f"/{path}" for path in source.model)
        if there and rng.random() < 0.3:
            source.remove(rng.choice(there))
        else:
            source.write(path, rng.randbytes(rng.choice([0, 5, 70_000])))
        models[source.drive.version] = source.model
    for version in [3, 10, 40, 39, 25, 40, 1, 0, 20]:
        result = clone(source, target, version)
        assert result.version == version
        assert files_in(target) == with_folders(models[version])
        assert (result.changed, result.kept, result.skipped) == ([], {}, [])


def test_only_what_differs_is_fetched(source: Source, target: Path) -> None:
    for index in range(5):
        source.write(f"/{index}", bytes([index]) * 70_000)
    clone(source, target)
    source.write("/1", b"new")
    source.remove("/2")
    result = clone(source, target)
    assert (result.written, result.downloaded, result.deleted) == (1, 3, 1)
    assert files_in(target) == source.model
    assert clone(source, target).written == 0


@pytest.mark.parametrize("blocks_max", [0, 1, 2, 5, 9])
def test_an_interrupted_clone_goes_on_where_it_was(
    source: Source, target: Path, blocks_max: int
) -> None:
    for index in range(4):
        source.write(f"/f/{index}", random.Random(index).randbytes(150_000))
    with pytest.raises(Interrupted):
        clone(source, target, blocks_max=blocks_max)
    # A file is there whole or not at all.
    model = source.model
    for path, data in files_in(target).items():
        assert data is None or data == model[path]
    with pytest.raises(Interrupted):
        clone(source, target, blocks_max=12 - blocks_max - 1)  # one short of all there are
    clone(source, target, blocks_max=1)
    assert files_in(target) == with_folders(model)


def test_another_version_after_an_interrupted_one(source: Source, target: Path) -> None:
    source.write("/kept", random.Random(1).randbytes(200_000))
    source.write("/replaced", random.Random(2).randbytes(200_000))
    with pytest.raises(Interrupted):
        clone(source, target, blocks_max=6)
    source.write("/replaced", b"short")
    result = clone(source, target, blocks_max=3)
    assert files_in(target) == source.model
    assert list((target / ".dat" / "parts").iterdir()) == []
    # The version before can be had again: nothing of the part is taken for here.
    clone(source, target, result.version - 1)
    assert files_in(target)["replaced"] == random.Random(2).randbytes(200_000)


def test_copies_and_moved_files_are_fetched_once(source: Source, target: Path) -> None:
    stat_ = source.store(random.Random(1).randbytes(150_000))
    source.publish({"/one": stat_, "/two": stat_})
    result = clone(source, target, blocks_max=3)
    assert (result.written, result.downloaded, result.bytes) == (2, 150_000, 300_000)
    source.publish({"/sub/three": stat_})
    source.remove("/one", "/two")
    result = clone(source, target, blocks_max=0)
    assert (result.written, result.downloaded, result.deleted) == (1, 0, 2)
    assert files_in(target) == with_folders(source.model)


def test_a_file_becomes_a_folder_and_a_folder_a_file(source: Source, target: Path) -> None:
    source.write("/a", b"file")
    source.write("/b/in", b"below")
    clone(source, target)
    source.remove("/a", "/b/in")
    source.write("/a/in", b"below now")
    source.write("/b", b"file now")
    result = clone(source, target)
    assert files_in(target) == {"a": None, "a/in": b"below now", "b": b"file now"}
    assert result.kept == {}


def test_what_was_lost_is_fetched_again(source: Source, target: Path) -> None:
    source.write("/a/b", b"x" * 70_000)
    source.write("/c", b"y")
    clone(source, target)
    (target / "a" / "b").unlink()
    (target / "a").rmdir()
    result = clone(source, target)
    assert (result.written, result.downloaded) == (1, 70_000)
    assert files_in(target) == with_folders(source.model)


def test_a_folder_that_was_copied_elsewhere_is_still_the_clone(
    source: Source, target: Path, tmp_path: Path
) -> None:
    source.write("/a/b", b"x" * 70_000)
    source.write("/c", b"y")
    clone(source, target)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(target, elsewhere)
    result = clone(source, elsewhere)
    assert (result.written, result.changed, result.kept) == (0, [], {})


def test_times_and_permissions(source: Source, target: Path) -> None:
    data = {
        "/program": source.store(b"a", mode=0o100755),
        "/setuid": source.store(b"b", mode=0o106777),
        "/future": source.store(b"c", mtime_ms=2**53 - 1),
        "/beginning": source.store(b"d", mtime_ms=0),
        "/nobody": source.store(b"e", mode=0o100000, uid=12345, gid=54321),
    }
    source.publish(data)
    clone(source, target)
    umask = os.umask(0)
    os.umask(umask)
    modes = {path[1:]: stat.S_IMODE((target / path[1:]).stat().st_mode) for path in data}
    program, plain = 0o777 & ~umask, 0o666 & ~umask
    assert modes == {
        "program": program,
        "setuid": program,
        "future": plain,
        "beginning": plain,
        "nobody": plain,
    }
    assert (target / "future").stat().st_mtime == NOW
    assert (target / "beginning").stat().st_mtime == 0
    assert (target / "nobody").stat().st_uid == os.geteuid()
    # Only the mode changes: nothing is fetched.
    source.publish({"/program": data["/setuid"], "/setuid": data["/program"]})
    same = source.store(b"z")
    source.publish({"/nobody": same})
    clone(source, target)
    source.publish({"/nobody": replace(same, mode=0o100755)})
    result = clone(source, target, blocks_max=0)
    assert (result.written, result.downloaded) == (0, 0)
    assert stat.S_IMODE((target / "nobody").stat().st_mode) == program


class TestOthersWork:
    """What the clone did not write is never written over and never removed."""

    def test_changed_files_stay_until_the_drive_changes_them_and_are_kept_then(
        self, source: Source, target: Path
    ) -> None:
        for name in ("a", "b", "c"):
            source.write(f"/{name}", name.encode() * 70_000)
        clone(source, target)
        (target / "a").write_bytes(b"mine")
        (target / "c").write_bytes(b"mine too")
        result = clone(source, target)
        assert (result.changed, result.kept, result.written) == (["a", "c"], {}, 0)
        source.write("/a", b"theirs")
        source.remove("/c")
        result = clone(source, target)
        assert result.kept == {"a": "a.local-1"}
        assert result.deleted == 0
        assert files_in(target) == source.model | {"a.local-1": b"mine", "c": b"mine too"}
        # A second time the second number.
        (target / "a").write_bytes(b"mine again")
        source.write("/a", b"theirs again")
        assert clone(source, target).kept == {"a": "a.local-2"}

    def test_a_change_of_the_same_size_is_seen(self, source: Source, target: Path) -> None:
        source.write("/a", b"1234")
        clone(source, target)
        (target / "a").write_bytes(b"5678")
        assert clone(source, target).changed == ["a"]
        (target / "a").write_bytes(b"1234")  # and that it was undone
        assert clone(source, target, restored=True).changed == []

    def test_files_and_folders_in_the_way_are_put_aside(self, source: Source, target: Path) -> None:
        source.write("/x", b"x")
        clone(source, target)
        (target / "file").write_bytes(b"mine")
        (target / "folder").mkdir()
        (target / "folder" / "in").write_bytes(b"in mine")
        (target / "shared").mkdir()
        (target / "shared" / "mine").write_bytes(b"beside")
        source.write("/file", b"theirs")
        source.write("/folder", b"theirs")
        source.write("/shared/theirs", b"theirs")
        result = clone(source, target)
        assert result.kept == {"file": "file.local-1", "folder": "folder.local-1"}
        found = files_in(target)
        assert found["file.local-1"] == b"mine"
        assert found["folder.local-1/in"] == b"in mine"
        assert found["shared/mine"] == b"beside"
        assert {path: found[path] for path in source.model} == source.model
        # A folder with somebody's file in it stays.
        source.remove("/shared/theirs")
        clone(source, target)
        assert (target / "shared" / "mine").read_bytes() == b"beside"

    def test_what_has_the_very_bytes_already_is_not_in_the_way(
        self, source: Source, target: Path
    ) -> None:
        source.write("/changed", b"old")
        clone(source, target)
        (target / "changed").write_bytes(b"x" * 70_000)
        (target / "new").write_bytes(b"y" * 70_000)
        (target / "almost").write_bytes(b"z" * 69_999 + b"Z")
        source.write("/changed", b"x" * 70_000)
        source.write("/new", b"y" * 70_000)
        source.write("/almost", b"z" * 70_000)
        result = clone(source, target)
        assert result.kept == {"almost": "almost.local-1"}
        assert {path: files_in(target)[path] for path in source.model} == source.model
        assert clone(source, target).changed == []

    @pytest.mark.parametrize("planted", ["folder", "file", "dangling"])
    def test_links_are_not_followed(
        self, source: Source, target: Path, tmp_path: Path, planted: str
    ) -> None:
        source.write("/x", b"x")
        source.write("/sub/old", b"old")
        clone(source, target)
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"secret")
        (outside / "old").write_bytes(b"not the clone's")
        if planted == "folder":
            (target / "sub" / "old").unlink()
            (target / "sub").rmdir()
            (target / "sub").symlink_to(outside)
        elif planted == "file":
            (target / "sub" / "secret").symlink_to(outside / "secret")
        else:
            (target / "sub" / "secret").symlink_to(outside / "new")
        source.write("/sub/secret", b"theirs")
        source.remove("/sub/old")
        result = clone(source, target)
        assert len(result.kept) == 1
        assert sorted(path.name for path in outside.iterdir()) == ["old", "secret"]
        assert (outside / "secret").read_bytes() == b"secret"
        assert (outside / "old").read_bytes() == b"not the clone's"
        assert not (target / "sub").is_symlink()
        assert (target / "sub" / "secret").read_bytes() == b"theirs"

    def test_a_pipe_in_a_files_place_does_not_hang_it(self, source: Source, target: Path) -> None:
        source.write("/a", b"x")
        clone(source, target)
        (target / "a").unlink()
        os.mkfifo(target / "a")
        source.write("/b", b"y")
        assert clone(source, target).changed == ["a"]
        source.write("/a", b"z")
        assert clone(source, target).kept == {"a": "a.local-1"}
        assert (target / "a").read_bytes() == b"z"

    def test_a_folder_with_other_things_is_refused(self, source: Source, target: Path) -> None:
        target.mkdir()
        (target / "mine").write_bytes(b"mine")
        with pytest.raises(UsageError, match="holds other things"):
            clone(source, target)
        assert [path.name for path in target.iterdir()] == ["mine"]
        with pytest.raises(UsageError, match="is not a folder"):
            clone(source, target / "mine")

    def test_the_folder_of_another_program_or_drive_is_refused(
        self, source: Source, target: Path, tmp_path: Path
    ) -> None:
        (target / ".dat").mkdir(parents=True)
        (target / ".dat" / "metadata.key").write_bytes(source.key)
        with pytest.raises(UsageError, match="dat program"):
            clone(source, target)
        clone(source, tmp_path / "ours")
        other = Source(tmp_path / "other", seed=2)
        with pytest.raises(UsageError, match="another drive"):
            clone(other, tmp_path / "ours")

    def test_a_link_in_place_of_the_own_folder_is_refused(
        self, source: Source, target: Path, tmp_path: Path
    ) -> None:
        outside = tmp_path / "outside"
        clone(source, outside)
        target.mkdir()
        (target / ".dat").symlink_to(outside / ".dat")
        with pytest.raises(StorageError, match="cannot be used"):
            clone(source, target)

    def test_one_process_at_a_time(self, source: Source, target: Path) -> None:
        with ClonePlace.open(target, source.key):
            with pytest.raises(UsageError) as caught:
                ClonePlace.open(target, source.key)
            assert caught.value.code == "clone-in-use"
        clone(source, target)
