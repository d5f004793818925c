"""libtorrent and npm's bittorrent-dht find each other's announcements, on loopback."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hyperdrive_programs import node

from nodevms.dat.discovery import Discovery, MainlineDht, NodeAddress

HERE = Path(__file__).parent
THEIRS, OURS = b"their feed".ljust(32), b"our feed".ljust(32)
PATIENCE = 30.0


class Nodes:
    """A bootstrap node, and others that do what they are told."""

    def __init__(self, program: asyncio.subprocess.Process) -> None:
        self._program = program
        self.bootstrap = NodeAddress("127.0.0.1", 0)

    async def heard(self) -> Any:
        assert self._program.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self._program.stdout.readline())

    async def announce(self, discovery_key: bytes, port: int) -> None:
        answer = await self._tell(f"announce {discovery_key[:20].hex()} {port}")
        assert answer["error"] is None

    async def lookup(self, discovery_key: bytes) -> set[tuple[str, int]]:
        answer = await self._tell(f"lookup {discovery_key[:20].hex()}")
        return {(host, port) for host, port in answer["peers"]}

    async def _tell(self, order: str) -> Any:
        assert self._program.stdin is not None
        self._program.stdin.write(order.encode() + b"\n")
        return await self.heard()


@asynccontextmanager
async def running_nodes() -> AsyncIterator[Nodes]:
    program = await asyncio.create_subprocess_exec(
        node(),
        str(HERE / "mainline_nodes.js"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        nodes = Nodes(program)
        nodes.bootstrap = NodeAddress("127.0.0.1", (await nodes.heard())["port"])
        yield nodes
    finally:
        assert program.stdin is not None
        program.stdin.close()  # with it the program ends
        await program.wait()


async def test_each_finds_what_the_other_announced() -> None:
    found: asyncio.Queue[tuple[bytes, str, int]] = asyncio.Queue()
    async with running_nodes() as nodes:
        dht = partial(MainlineDht, bootstrap=[nodes.bootstrap], interfaces="127.0.0.1:0")
        discovery = Discovery(lambda *peer: found.put_nowait(peer), [dht])
        await nodes.announce(THEIRS, 4001)
        await discovery.start()
        try:
            discovery.lookup(THEIRS)
            async with asyncio.timeout(PATIENCE):
                assert await found.get() == (THEIRS, "127.0.0.1", 4001)

            discovery.lookup(OURS)
            discovery.announce(OURS, 4002)
            async with asyncio.timeout(PATIENCE):
                while ("127.0.0.1", 4002) not in await nodes.lookup(OURS):
                    pass
        finally:
            await discovery.stop()
    assert found.empty()  # we are not news to ourselves


async def test_two_of_ours_find_each_other_through_a_node_that_both_know() -> None:
    found: asyncio.Queue[tuple[bytes, str, int]] = asyncio.Queue()
    async with running_nodes() as nodes:
        make = partial(MainlineDht, bootstrap=[nodes.bootstrap], interfaces="127.0.0.1:0")
        sharer = make(lambda *_: None)
        seeker = make(lambda *peer: found.put_nowait(peer))
        sharer.announce(OURS, 4003)
        seeker.lookup(OURS)
        await sharer.start()
        await seeker.start()
        try:
            async with asyncio.timeout(PATIENCE):
                assert await found.get() == (OURS, "127.0.0.1", 4003)
        finally:
            await sharer.stop()
            await seeker.stop()


async def test_bittorrent_peers_are_turned_away_and_stopping_gives_everything_back() -> None:
    dht = MainlineDht(
        lambda *_: None, bootstrap=[NodeAddress("127.0.0.1", 9)], interfaces="127.0.0.1:0"
    )
    await dht.start()
    port = dht.listening_port()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x13BitTorrent protocol" + bytes(48))
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b""
        writer.close()
    except ConnectionResetError:
        pass  # turned away before it could speak
    finally:
        await dht.stop()
    assert port > 0
    assert dht.listening_port() == 0
    gc.collect()  # an unclosed socket would be a warning, and so an error
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    server.close()
    await server.wait_closed()
