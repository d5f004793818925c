"""npm's programs download from our swarm over TCP, in all the ways that they know."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hyperdrive_programs import HERE, node

from nodevms.archive.drive_writer import DriveWriter
from nodevms.dat import PublishedFeed, Swarm, SwarmThread
from nodevms.feed import Feed, KeyPair

PAIR = KeyPair.from_seed(b"\x1d" * 32)


@asynccontextmanager
async def swarm_of(*feeds: Feed, drive: bool = False) -> AsyncIterator[Swarm]:
    swarm = Swarm(port=0)
    await swarm.start()
    for number, feed in enumerate(feeds):
        swarm.share(PublishedFeed(feed), drive=drive and number == 0)
    try:
        yield swarm
    finally:
        await swarm.stop()


def a_feed(directory: Path, blocks: list[bytes]) -> Feed:
    feed = Feed.create(directory, "", PAIR)
    for start in range(0, len(blocks), 7):
        feed.append(blocks[start : start + 7])
        feed.sync()
    return feed


async def started(program: str, port: int, key: bytes, *arguments: str) -> Any:
    return await asyncio.create_subprocess_exec(
        node(),
        "--no-deprecation",
        program,
        "127.0.0.1",
        str(port),
        key.hex(),
        *arguments,
        cwd=HERE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def downloaded(program: str, port: int, key: bytes, *arguments: str) -> Any:
    process = await started(program, port, key, *arguments)
    out, error = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, error.decode()
    return json.loads(out)


async def test_hypercore_downloads_a_whole_feed_and_single_blocks(tmp_path: Path) -> None:
    blocks = [b"block %d" % index for index in range(1000)]
    with a_feed(tmp_path, blocks) as feed:
        feed.append([b"not synced: this stays here"])
        async with swarm_of(feed) as swarm:
            whole, some = await asyncio.gather(
                downloaded("hypercore_download.js", swarm.port, PAIR.public, "all", "1"),
                downloaded(
                    "hypercore_download.js", swarm.port, PAIR.public, "sparse", "999,0,512,511"
                ),
            )
    assert whole["length"] == whole["has"] == 1000
    assert whole["blocks"] == [block.decode() for block in blocks]
    assert some["blocks"] == ["block 999", "block 0", "block 512", "block 511"]
    assert some["has"] == 4


async def test_large_blocks_and_empty_ones_arrive(tmp_path: Path) -> None:
    blocks = [bytes(3_000_000), b"", b"x" * 65_536, bytes(8 * 1024 * 1024 - 16 * 1024)]
    with a_feed(tmp_path, blocks) as feed:
        async with swarm_of(feed) as swarm:
            got = await downloaded("hypercore_download.js", swarm.port, PAIR.public, "all", "1")
    assert got["blocks"] == [len(block) if len(block) > 99 else "" for block in blocks]


async def test_a_call_log_is_fetched_the_way_of_2017(tmp_path: Path) -> None:
    entries = [{"type": "call", "seq": seq, "text": "ü\u2028"} for seq in range(20)]
    blocks = [json.dumps(entry).encode() + b"\n" for entry in entries]
    with a_feed(tmp_path, blocks) as feed:
        async with swarm_of(feed) as swarm:
            got = await downloaded("hypercore_download.js", swarm.port, PAIR.public, "json", "1")
    assert got["blocks"] == entries


def test_a_live_reader_follows_while_another_thread_appends(tmp_path: Path) -> None:
    thread = SwarmThread(Swarm(port=0))
    thread.start()
    try:
        with a_feed(tmp_path, [b"0", b"1"]) as feed:
            thread.call(thread.swarm.share, PublishedFeed(feed))

            async def follow() -> list[str]:
                process = await started(
                    "hypercore_download.js", thread.swarm.port, PAIR.public, "live", "302"
                )
                lines = [await process.stdout.readline() for _ in range(2)]
                for number in range(2, 302):
                    feed.append([b"%d" % number])
                    feed.sync()
                out, error = await asyncio.wait_for(process.communicate(), 60)
                assert process.returncode == 0, error.decode()
                return [json.loads(line) for line in (*lines, *out.splitlines())]

            assert asyncio.run(follow()) == [str(number) for number in range(302)]
    finally:
        thread.stop()


async def test_hyperdrive_downloads_a_drive_and_the_stream_ends_by_itself(tmp_path: Path) -> None:
    metadata = Feed.create(tmp_path / "metadata", "", PAIR)
    content = Feed.create(tmp_path / "content", "", PAIR.content_key_pair())
    files = {
        "/index.html": b"<p>hello",
        "/deep/er/ü.bin": bytes(range(256)) * 1000,
        "/deep/other": b"x",
    }
    drive = DriveWriter(metadata, content)
    for path, data in files.items():
        drive.write_file(path, data, mtime_ms=1_500_000_000_000)
    async with swarm_of(metadata, content, drive=True) as swarm:
        got = await downloaded("hyperdrive_download.js", swarm.port, PAIR.public)
    assert {path: base64.b64decode(data) for path, data in got["files"].items()} == files
    assert got["version"] == drive.version
    metadata.close()
    content.close()
