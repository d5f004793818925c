"""Cloning over a network of which only the blocks matter here: bounds, patience, following."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from clone_worlds import Source, files_in, with_folders
from cloning_worlds import Cloned

from nodevms.archive import Published, Publisher
from nodevms.archive.record import ZERO_HASH, Record
from nodevms.dat.clone import NotADriveError, cloning
from nodevms.errors import CouldNotCheckError, UsageError
from nodevms.feed import Feed, KeyPair


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "clone"


async def test_a_drive_is_cloned_with_progress(source: Source, target: Path) -> None:
    source.write("/a", b"a" * 300_000)
    source.write("/sub/b", b"b" * 70_000)
    source.write("/empty", b"")
    with Cloned(source, target) as clone:
        result = await clone.cloning.run()
    assert files_in(target) == with_folders(source.model)
    assert (result.version, result.files, result.bytes) == (3, 3, 370_000)
    last = clone.progress[-1]
    assert (last.stage, last.files, last.files_total) == ("files", 3, 3)
    assert (last.bytes, last.bytes_total) == (370_000, 370_000)
    done = [one.bytes for one in clone.progress if one.stage == "files"]
    assert done == sorted(done)


async def test_an_empty_drive(source: Source, target: Path) -> None:
    with Cloned(source, target) as clone:
        result = await clone.cloning.run()
    assert (result.version, result.files, files_in(target)) == (0, 0, {})


async def test_a_given_version(source: Source, target: Path) -> None:
    source.write("/a", b"1")
    source.write("/a", b"22")
    source.write("/b", b"333")
    for version, files in ((2, {"a": b"22"}), (1, {"a": b"1"}), (0, {})):
        with Cloned(source, target) as clone:
            result = await clone.cloning.run(version)
        assert (result.version, files_in(target)) == (version, files)
    with Cloned(source, target) as clone, pytest.raises(CouldNotCheckError) as caught:
        await clone.cloning.run(4)
    assert caught.value.code == "no-such-version"


async def test_a_long_history_is_not_fetched(
    source: Source, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloning, "WHOLE_HISTORY_MAX", 50)
    for index in range(120):
        source.write(f"/folder/{index % 4}", str(index).encode())
    with Cloned(source, target) as clone:
        await clone.cloning.run()
        assert clone.metadata.came <= 8
    assert files_in(target) == with_folders(source.model)
    with Cloned(source, target) as clone:  # of a short one everything is
        await clone.cloning.run(40)
        assert clone.metadata.came >= 36


async def test_a_version_inside_a_publication_is_refused(source: Source, target: Path) -> None:
    publisher = Publisher(source.metadata, source.content)
    changes = [
        Published(f"/{name}", "file", Record("file", 0, ZERO_HASH, 1, 0, 0)) for name in "abc"
    ]
    publisher.publish(changes, 5)
    with Cloned(source, target) as clone:
        with pytest.raises(UsageError) as caught:
            await clone.cloning.run(2)
        assert caught.value.code == "inside-publication"
        assert (await clone.cloning.run(3)).files == 3


async def test_it_follows_and_applies_only_changes(source: Source, target: Path) -> None:
    source.write("/kept", b"k" * 200_000)
    source.write("/gone", b"g")
    with Cloned(source, target) as clone:
        follow = clone.cloning.follow()
        assert (await anext(follow)).written == 2
        source.write("/new", b"n")
        source.remove("/gone")
        result = await anext(follow)
        while result.version < source.drive.version:
            result = await anext(follow)
        assert (result.version, result.downloaded) == (4, 1)
        assert files_in(target) == source.model
        await follow.aclose()


class TestNobodyHasIt:
    async def test_the_drive(self, source: Source, target: Path) -> None:
        with (
            Cloned(source, target, metadata_have=0) as clone,
            pytest.raises(CouldNotCheckError) as caught,
        ):
            await clone.cloning.run()
        assert caught.value.code == "dat-nobody"
        assert files_in(target) == {}

    async def test_an_old_clone_is_not_taken_for_the_newest_version(
        self, source: Source, target: Path
    ) -> None:
        source.write("/a", b"a")
        with Cloned(source, target) as clone:
            await clone.cloning.run()
        with (
            Cloned(source, target, metadata_have=0) as clone,
            pytest.raises(CouldNotCheckError) as caught,
        ):
            await clone.cloning.run()
        assert caught.value.code == "dat-nobody"

    async def test_some_contents_and_it_goes_on_later(self, source: Source, target: Path) -> None:
        source.write("/a", b"a" * 100_000)
        source.write("/b", b"b" * 300_000)
        with Cloned(source, target) as clone:
            clone.metadata.per_turn = 1000

            def stop_content(key: bytes) -> object:
                handing = original(key)
                handing.want = lambda ranges: type(handing).want(  # type: ignore[method-assign]
                    handing, [(start, min(end, 4)) for start, end in ranges]
                )
                return handing

            original = clone.cloning._fetch_content
            clone.cloning._fetch_content = stop_content  # type: ignore[assignment]
            with pytest.raises(CouldNotCheckError) as caught:
                await clone.cloning.run()
        assert caught.value.code == "dat-stalled"
        assert "again" in str(caught.value.hint)
        assert files_in(target) == {"a": b"a" * 100_000}
        with Cloned(source, target) as clone:
            result = await clone.cloning.run()
            assert clone.content is not None
            assert clone.content.came == 3
        assert (result.written, files_in(target)) == (1, source.model)

    async def test_contents_beyond_the_feeds_end(self, source: Source, target: Path) -> None:
        source.write("/good", b"good")
        source.publish({"/far": source.store(b"x", offset=2**40, byte_offset=2**50)})
        source.publish({"/long": source.store(b"x" * 10, blocks=10)})
        with Cloned(source, target) as clone:
            result = await clone.cloning.run()
        assert {one.path for one in result.skipped} == {"far", "long"}
        assert files_in(target) == {"good": b"good"}


class TestBounds:
    async def test_bytes(self, source: Source, target: Path) -> None:
        source.write("/a", b"a" * 100_000)
        with Cloned(source, target, bytes_max=99_999) as clone:
            with pytest.raises(CouldNotCheckError) as caught:
                await clone.cloning.run()
            assert clone.content is not None
            assert clone.content.came == 0
        assert (caught.value.code, files_in(target)) == ("ceiling", {})
        with Cloned(source, target, bytes_max=100_000) as clone:
            await clone.cloning.run()

    async def test_one_content_under_many_names_counts_as_often(
        self, source: Source, target: Path
    ) -> None:
        content = source.store(b"a" * 10_000)
        source.publish({f"/{index}": content for index in range(20)})
        with (
            Cloned(source, target, bytes_max=100_000) as clone,
            pytest.raises(CouldNotCheckError) as caught,
        ):
            await clone.cloning.run()
        assert (caught.value.code, files_in(target)) == ("ceiling", {})

    async def test_the_disk(self, source: Source, target: Path) -> None:
        source.publish({"/huge": source.store(b"x", size=2**49, blocks=2**40)})
        with (
            Cloned(source, target, bytes_max=2**60) as clone,
            pytest.raises(CouldNotCheckError) as caught,
        ):
            await clone.cloning.run()
        assert (caught.value.code, files_in(target)) == ("disk-full", {})

    async def test_metadata(self, source: Source, target: Path) -> None:
        for index in range(50):
            source.write(f"/{index}", b"")
        with Cloned(source, target, bytes_max=1000) as clone:
            with pytest.raises(CouldNotCheckError) as caught:
                await clone.cloning.run()
            assert clone.metadata.came <= 2
        assert caught.value.code == "ceiling"

    async def test_metadata_of_a_long_history(
        self, source: Source, target: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cloning, "WHOLE_HISTORY_MAX", 1)
        for index in range(50):
            source.write(f"/{index}", b"")
        with (
            Cloned(source, target, bytes_max=1000) as clone,
            pytest.raises(CouldNotCheckError) as caught,
        ):
            await clone.cloning.run()
        assert caught.value.code == "ceiling"

    async def test_entries(self, source: Source, target: Path) -> None:
        for index in range(11):
            source.write(f"/{index}", b"x")
        with (
            Cloned(source, target, entries_max=10) as clone,
            pytest.raises(CouldNotCheckError) as caught,
        ):
            await clone.cloning.run()
        assert (caught.value.code, files_in(target)) == ("ceiling", {})

    async def test_a_small_file_of_large_blocks_ends_early(
        self, source: Source, target: Path
    ) -> None:
        """A stat that promises little and leads to much is found out after what is ahead."""
        blocks = 4000
        lie = source.store(bytes(65_536 * blocks), size=blocks)
        source.publish({"/lie": lie})
        source.write("/good", b"good")
        with Cloned(source, target) as clone:
            result = await clone.cloning.run()
            assert clone.content is not None
            assert clone.content.came <= 2500
        assert [(one.path, one.false) for one in result.skipped] == [("lie", True)]
        assert files_in(target) == {"good": b"good"}


async def test_what_is_no_drive_leaves_nothing(target: Path, tmp_path: Path) -> None:
    pair = KeyPair.from_seed(bytes(32))
    feed = Feed.create(tmp_path / "log", "", pair)
    feed.append([b'{"type":"init"}\n'])
    feed.sync()

    class Log:
        key, metadata = feed.key, feed

    with pytest.raises(NotADriveError), Cloned(Log(), target) as clone:  # type: ignore[arg-type]
        await clone.cloning.run()
    assert not await asyncio.to_thread(target.exists)


async def test_cancelling_leaves_what_can_be_continued(source: Source, target: Path) -> None:
    for index in range(10):
        source.write(f"/{index}", bytes([index]) * 200_000)
    with Cloned(source, target) as clone:
        task = asyncio.create_task(clone.cloning.run())
        await clone.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with Cloned(source, target) as clone:
        await clone.cloning.run()
    assert files_in(target) == source.model
