"""Clients that read nothing are cut off, whatever it is that they leave lying."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp import web
from fixed_backend import FixedBackend
from serving import Wire, request, serving

from nodevms.rpc import Limits
from nodevms.rpc.site import Route

MIB = 1 << 20
UNREAD = 24 * MIB
BATCH = "[" + ",".join(request("big", number) for number in range(15)) + "]"
POST = (
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BATCH)}\r\n\r\n{BATCH}"
).encode()
GET = b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def large(_: web.Request) -> web.Response:
    return web.Response(body=bytes(UNREAD))


ROUTES: dict[str, list[Route]] = {"/": [("large", large)]}


async def ask(wire: Wire, text: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for something, and read no more of the answer than what a buffer takes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.server.port)
    writer.write(text)
    return reader, writer


def transports(wire: Wire) -> list[asyncio.Transport]:
    return list(wire.server._transports())


async def cut(wire: Wire, left: int) -> None:
    """Wait until the server has closed all connections but some."""
    async with asyncio.timeout(20):
        while not transports(wire):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        while len(transports(wire)) > left:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def rest(reader: asyncio.StreamReader) -> int:
    size = 0
    try:
        while data := await asyncio.wait_for(reader.read(MIB), 20):
            size += len(data)
    except ConnectionError:
        pass
    return size


@pytest.mark.parametrize(("text", "whole"), [(POST, 15_000_000), (GET, UNREAD)])
async def test_who_takes_nothing_is_cut_off(text: bytes, whole: int) -> None:
    limits = Limits(stall_seconds=0.2, linger_seconds=0.1)
    async with serving(FixedBackend(), limits=limits, routes=ROUTES) as wire:
        reader, writer = await ask(wire, text)
        await cut(wire, left=0)
        assert await rest(reader) < whole
        writer.close()
        async with wire.post(request("echo").encode()) as response:
            assert (await response.json())["result"] == []


async def test_a_slow_reader_is_not_cut_off() -> None:
    limits = Limits(stall_seconds=0.2, linger_seconds=0.1)
    async with serving(FixedBackend(), limits=limits, routes=ROUTES) as wire:
        reader, writer = await ask(wire, GET)
        size = 0
        while size < UNREAD // 2:
            size += len(await reader.read(MIB))
            await asyncio.sleep(0.01)
        assert size + await rest(reader) > UNREAD
        writer.close()


async def test_what_lies_unread_is_bounded_for_all_together() -> None:
    limits = Limits(unread_bytes_max=2 * UNREAD)
    async with serving(FixedBackend(), limits=limits, routes=ROUTES) as wire:
        asked = [await ask(wire, GET) for _ in range(4)]
        await cut(wire, left=2)
        sizes = [await rest(reader) for reader, _ in asked]
        assert sorted(size > UNREAD for size in sizes) == [False, False, True, True]
        for _, writer in asked:
            writer.close()
        async with aiohttp.ClientSession() as session, session.get(wire.url()) as response:
            assert response.status == 200
