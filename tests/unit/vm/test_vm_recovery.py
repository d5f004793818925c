"""A backend that fails is opened again by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nodevms.errors import StorageError
from nodevms.feed import Feed
from nodevms.sandbox import Engine
from nodevms.vm import VM
from nodevms.vm.errors import BackendClosedError, OutcomeUnknownError
from nodevms.vm.feeds_watcher import FeedsWatcher
from nodevms.vm.store import Store

SCRIPT = "exports.one = () => 1"


def fail(*_: object, **__: object) -> None:
    raise StorageError("the disk is full")


async def broken(
    vm: VM, directory: Path, patch: pytest.MonkeyPatch, watcher: FeedsWatcher | None = None
) -> None:
    await vm.deploy(dir=directory, watcher=watcher)
    patch.setattr(Store, "write", fail)
    with pytest.raises(OutcomeUnknownError, match="the disk is full"):
        await vm.exports.one()
    async with asyncio.timeout(30):
        while True:
            try:
                await vm.exports.one()
            except OutcomeUnknownError:  # it ran before the failure was known
                continue
            except BackendClosedError:
                return


async def test_it_runs_again_in_a_new_epoch_when_the_disk_does(
    engine: Engine, tmp_path: Path
) -> None:
    vm = VM(SCRIPT, engine=engine)
    with pytest.MonkeyPatch.context() as patch:
        await broken(vm, tmp_path / "b", patch)
    async with asyncio.timeout(30):
        while True:
            try:
                assert await vm.exports.one() == 1
                break
            except BackendClosedError:
                await asyncio.sleep(0.01)
    assert vm.epoch > 0
    await vm.close()


class Watcher:
    """Reads all feeds at the last moment at which that is promised."""

    def __init__(self) -> None:
        self.feeds: tuple[Feed, ...] = ()
        self.seen: list[list[int]] = []

    def opened(self, log: Feed, metadata: Feed, content: Feed) -> None:
        assert self.feeds == ()
        self.feeds = (log, metadata, content)

    def closing(self) -> None:
        feeds, self.feeds = self.feeds, ()
        for feed in feeds:
            list(feed.get_many(0, feed.synced_length))
        self.seen.append([feed.synced_length for feed in feeds])


async def test_a_watcher_has_the_feeds_until_the_last_publication_is_made(
    engine: Engine, tmp_path: Path
) -> None:
    watcher = Watcher()
    vm = VM(SCRIPT + "; exports.two = () => System.files.writeFile('/a', 'b')", engine=engine)
    with pytest.MonkeyPatch.context() as patch:
        await broken(vm, tmp_path / "b", patch, watcher)
    async with asyncio.timeout(30):
        while True:
            try:
                await vm.exports.two()
                break
            except BackendClosedError:
                await asyncio.sleep(0.01)
    await vm.close()
    # init, restart and the call; the drive's header and the file; its content
    assert watcher.seen == [[1, 1, 0], [3, 2, 1]]
    assert watcher.feeds == ()
