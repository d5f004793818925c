"""Our swarm connects to npm's hypercore and asks it for blocks, live and not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hyperdrive_programs import HERE, node

from nodevms.dat import PublishedFeed, Swarm
from nodevms.dat.wire import Data, Have, Message, Request, Want
from nodevms.feed import Feed, KeyPair, Proof, verify_proof


class Asking:
    """Asks one peer for every block that it says it has last, and checks each."""

    def __init__(self, key: bytes, count: int) -> None:
        self.blocks: dict[int, bytes] = {}
        self.changed = asyncio.Event()
        self._key, self._count, self._asked = key, count, 0

    @property
    def done(self) -> bool:
        return len(self.blocks) == self._count

    def join(self, send: Callable[[Message], None]) -> Asking:
        self._send = send
        send(Want(0, 1 << 20))
        return self

    def receive(self, message: Message) -> None:
        if isinstance(message, Have) and not message.bitfield:
            while self._asked < message.start + message.length:
                self._send(Request(self._asked))
                self._asked += 1
        elif isinstance(message, Data):
            assert message.value is not None
            proof = Proof(message.nodes, message.signature)
            verify_proof(self._key, message.index, message.value, proof)
            self.blocks[message.index] = message.value
            self.changed.set()

    def tick(self, now: float) -> None:
        pass

    def leave(self) -> None:
        self.changed.set()


class Named(PublishedFeed):
    """An empty feed of ours under the key of somebody else's."""

    def __init__(self, feed: Feed, key: bytes) -> None:
        super().__init__(feed)
        self._named = key

    @property
    def key(self) -> bytes:
        return self._named


async def until(asking: Asking, condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            asking.changed.clear()
            await asking.changed.wait()


@pytest.mark.parametrize("mode", ["live", "ends"])
async def test_npm_answers_our_swarm(tmp_path: Path, mode: str) -> None:
    live = mode == "live"
    process = await asyncio.create_subprocess_exec(
        node(),
        "--no-deprecation",
        "hypercore_share.js",
        "50",
        mode,
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    said = json.loads(await process.stdout.readline())
    key = bytes.fromhex(said["key"])
    asking = Asking(key, 52 if live else 50)
    swarm = Swarm(port=None, live=live)
    await swarm.start()
    with Feed.create(tmp_path, "", KeyPair.from_seed(b"\x7d" * 32)) as feed:
        swarm.share(Named(feed, key))
        swarm.download(key, asking)
        swarm.connect("127.0.0.1", said["port"], key)
        await until(asking, lambda: len(asking.blocks) >= 50)
        if live:
            process.stdin.write(b"more\nand more\n")
            await until(asking, lambda: asking.done)
            assert len(swarm.peers) == 1
        else:
            await until(asking, lambda: not swarm.peers)  # npm ends when we say that we are done
        await swarm.stop()
    expected = [b"block %d" % index for index in range(50)] + [b"more", b"and more"] * live
    assert asking.blocks == dict(enumerate(expected))
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 60) == 0
