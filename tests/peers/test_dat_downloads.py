"""We download from npm's hypercore over our swarm, and notice what it does not: a forked feed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hyperdrive_programs import HERE, node

from nodevms.dat import Downloader, Swarm
from nodevms.feed import Feed, ForkError, KeyPair, PartialFeed, keep_evidence, read_evidence

SEED = b"\x5e" * 32
PAIR = KeyPair.from_seed(SEED)


@asynccontextmanager
async def sharing(*arguments: str) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """Share a feed of our key with npm's hypercore, on the port that is given."""
    process = await asyncio.create_subprocess_exec(
        node(),
        "--no-deprecation",
        "hypercore_share.js",
        *arguments,
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    said = json.loads(await process.stdout.readline())
    assert said["key"] == PAIR.public.hex()
    yield said["port"], process
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 60) == 0


class Download:
    """A swarm that downloads one feed into a folder."""

    def __init__(self, directory: Path, *, live: bool, **options: Any) -> None:
        self.partial = (
            PartialFeed.open(directory, "", PAIR.public)
            if (directory / "key").exists()
            else PartialFeed.create(directory, "", PAIR.public)
        )
        self.changed = asyncio.Event()
        self.forks: list[ForkError] = []
        self.downloader = Downloader(
            self.partial,
            clock=time.monotonic,
            live=live,
            on_block=lambda index: self.changed.set(),
            **options,
        )
        self.swarm = Swarm(port=None, live=live, on_fork=self._forked)

    def _forked(self, key: bytes, error: ForkError) -> None:
        assert key == PAIR.public
        self.forks.append(error)
        self.changed.set()

    async def connect(self, port: int) -> None:
        await self.swarm.start()
        self.swarm.share(self.partial)
        self.swarm.download(PAIR.public, self.downloader)
        self.swarm.connect("127.0.0.1", port, PAIR.public)

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def stop(self) -> None:
        await self.swarm.stop()
        self.partial.flush()
        self.partial.close()


async def test_a_feed_of_npm_comes_whole_and_is_followed(tmp_path: Path) -> None:
    async with sharing("5000", "live", SEED.hex()) as (port, process):
        download = Download(tmp_path, live=True)
        await download.connect(port)
        await download.until(lambda: download.downloader.progress.blocks == 5000)
        assert process.stdin is not None
        process.stdin.write(b"more\n")
        await download.until(lambda: download.downloader.progress.blocks == 5001)
        process.stdin.write(b"and\nmore\n")
        await download.until(lambda: download.downloader.progress.blocks == 5003)
        assert len(download.swarm.peers) == 1
        await download.stop()
    with Feed.open(tmp_path, "", writable=False) as feed:
        blocks = [b"block %d" % index for index in range(5000)]
        assert list(feed.get_many(0, feed.length)) == [*blocks, b"more", b"and", b"more"]


async def test_ranges_come_and_the_rest_when_it_is_wanted(tmp_path: Path) -> None:
    async with sharing("300", "live", SEED.hex()) as (port, _):
        download = Download(tmp_path, live=True, ranges=[(100, 120)])
        await download.connect(port)
        await download.until(lambda: download.downloader.complete and download.partial.length)
        assert list(download.partial.missing(0, 300)) == [(0, 100), (120, 300)]
        await download.stop()
        download = Download(tmp_path, live=True)
        await download.connect(port)
        await download.until(lambda: download.downloader.complete)
        assert download.downloader.progress.blocks == 280
        await download.stop()


@pytest.mark.parametrize("theirs", [40, 60, 90])
async def test_a_fork_of_npm_is_caught(theirs: int, tmp_path: Path) -> None:
    """Shorter than ours, as long and longer: the download stops, and the evidence is kept."""
    with Feed.create(tmp_path / "source", "", PAIR) as source:
        source.append([b"block %d" % index for index in range(60)])
        source.sync()
        with PartialFeed.create(tmp_path / "ours", "", PAIR.public) as partial:
            for index in range(60):
                proof = source.proof(index, partial.digest(index))
                partial.put(index, source.get(index), proof.nodes, proof.signature)
            partial.flush()
        head = source.head()
    async with sharing(str(theirs), "live", SEED.hex(), "17") as (port, _):
        download = Download(tmp_path / "ours", live=True)
        await download.connect(port)
        await download.until(lambda: download.forks)
        assert download.partial.newest_head() == head
        assert download.downloader.progress.blocks == 0
        await download.stop()
    (error,) = download.forks
    assert error.evidence is not None
    assert (error.old, error.new.length) == (head, theirs)
    evidence = read_evidence(keep_evidence(tmp_path / "forks", error.evidence))
    evidence.check()
    assert evidence.key == PAIR.public
