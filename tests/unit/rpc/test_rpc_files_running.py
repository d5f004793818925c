"""The files of a backend that runs, is damaged, or is read by many at a time."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Never

import aiohttp
import cheating_host as host
import pytest
from fixed_backend import FixedBackend
from reading import Reader, reading, running
from serving import serving

from nodevms import DatArchive
from nodevms.errors import StorageError
from nodevms.feed import Feed
from nodevms.rpc.files import FilesDoor, Turns
from nodevms.rpc.files.turns import READS_AT_ONCE
from nodevms.sandbox import Engine
from nodevms.vm.errors import BackendClosedError

BLOCK = 65_536
BIG = "x" * (9 * BLOCK) + "end"


async def test_a_call_that_was_answered_is_seen_and_no_other(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    async with running(engine, tmp_path / "backend") as vm, serving({"/": vm}) as wire:
        reader = Reader(wire)
        await vm.exports.write("/counter", 1)
        assert (await reader.get("/files/counter")).body == b"1"

        real = Feed.sync

        def held_back(feed: Feed) -> None:
            loop.call_soon_threadsafe(reached.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
            real(feed)

        monkeypatch.setattr(Feed, "sync", held_back)
        call = asyncio.ensure_future(vm.exports.write("/counter", 2))
        await reached.wait()
        got = await reader.get("/files/counter")
        assert (got.body, got.headers["Nodevms-Files-Version"]) == (b"1", "1")
        assert (await reader.get("/files/counter?version=2")).status == 404
        go_on.set()
        await call
        got = await reader.get("/files/counter")
        assert (got.body, got.headers["Nodevms-Files-Version"]) == (b"2", "2")
        assert got.headers["Nodevms-Log-Length"] == "3"
        assert (await reader.get("/files/counter?version=1")).body == b"1"


async def test_a_backend_that_recovers_is_unavailable_for_a_while() -> None:
    def closed() -> Never:
        raise BackendClosedError("the backend is not running")

    door = FilesDoor(closed, Turns())
    async with serving(FixedBackend(), routes={"/": door.routes}) as wire:
        got = await Reader(wire).get("/files/counter")
    assert got.status == 503
    assert got.json["error"]["code"] == "closed"


async def test_files_that_are_closed_meanwhile_are_unavailable(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(engine, tmp_path / "backend") as vm:
        await vm.exports.write("/counter", 1)
        archive = vm.files_archive
        file = archive.open_file("/counter")
    async with reading(archive) as reader:
        got = await reader.get("/files/counter")
    assert (got.status, got.json["error"]["code"]) == (503, "state-index")
    assert "closed" in caplog.text
    assert "damaged" not in caplog.text
    archive._contents._cache.clear()
    with pytest.raises(StorageError):
        next(file.pieces(0, 1))


@pytest.fixture
async def damaged(engine: Engine, tmp_path: Path) -> Path:
    directory = tmp_path / "backend"
    async with running(engine, directory) as vm:
        await vm.exports.write("/first", "1")
        await vm.exports.write("/big", BIG)
        await vm.exports.write("/sound", "sound")
    return directory


@pytest.fixture
def flipped(damaged: Path) -> Iterator[DatArchive]:
    """The disk changed a bit in /first, and one in the eighth block of /big."""
    with DatArchive.open(damaged) as archive:
        for offset in (0, 1 + 7 * BLOCK):
            host.flip(damaged / "files" / "content" / "data", offset)
        yield archive


async def test_what_the_disk_damaged_is_never_sent(
    flipped: DatArchive, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "nodevms.rpc.files")
    async with reading(flipped) as reader:
        for _ in range(3):
            got = await reader.get("/files/first")
            assert (got.status, got.json["error"]["code"]) == (500, "feed-damaged")
        received = await broken_off(reader, "/files/big")
        assert received == BIG.encode()[: len(received)]
        assert len(received) <= 7 * BLOCK
        got = await reader.get("/files/big", {"Range": f"bytes=0-{4 * BLOCK}"})
        assert (got.status, len(got.body)) == (206, 4 * BLOCK + 1)
        got = await reader.get("/files/big", {"Range": f"bytes={7 * BLOCK}-"})
        assert got.status == 500
        assert (await reader.get("/files/sound")).body == b"sound"
    assert len(caplog.records) == 2, "once for each place, however often it is asked for"


async def broken_off(reader: Reader, target: str) -> bytes:
    """Return what came before the server broke off."""
    received = b""
    async with reader.wire.session.get(reader.wire.url(target)) as response:
        assert response.status == 200
        try:
            async with asyncio.timeout(10):  # the server waits longer for the next request
                while not response.content.at_eof():
                    received += await response.content.readany()
        except aiohttp.ClientPayloadError:
            return received
    pytest.fail("it came whole")


async def test_a_host_that_signs_other_contents_completes_no_download(damaged: Path) -> None:
    def change(blocks: list[bytes]) -> list[bytes]:
        return [b"9", *blocks[1:8], b"y" * BLOCK, *blocks[9:]]

    host.cheat_contents(damaged, change)
    with DatArchive.open(damaged) as archive:
        async with reading(archive) as reader:
            got = await reader.get("/files/first")
            assert (got.status, got.json["error"]["code"]) == (500, "content-damaged")
            received = await broken_off(reader, "/files/big")
            assert len(received) < len(BIG)


async def test_many_readers_take_turns(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with DatArchive.open(damaged) as archive:
        reads, most, lock = 0, 0, threading.Lock()
        real = archive._contents.stored_block

        def counted(index: int) -> bytes:
            nonlocal reads, most
            with lock:
                reads += 1
                most = max(most, reads)
            try:
                return real(index)
            finally:
                with lock:
                    reads -= 1

        monkeypatch.setattr(archive._contents, "stored_block", counted)
        async with reading(archive) as reader:
            everybody = await asyncio.gather(*(reader.get("/files/big") for _ in range(40)))
        assert {got.body for got in everybody} == {BIG.encode()}
        assert 1 <= most <= READS_AT_ONCE


async def test_a_reader_who_takes_nothing_has_little_read_for_him(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 12_000_000
    async with running(engine, tmp_path / "backend") as vm:
        await vm.exports.fill("/big", size)
    with DatArchive.open(tmp_path / "backend") as archive:
        real, read = archive._contents.stored_block, []

        def counted(index: int) -> bytes:
            read.append(index)
            return real(index)

        monkeypatch.setattr(archive._contents, "stored_block", counted)
        async with reading(archive) as reader:
            lazy = socket.socket()
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            with lazy:
                lazy.connect(("127.0.0.1", reader.wire.server.port))
                lazy.sendall(b"GET /files/big HTTP/1.1\r\nHost: localhost\r\n\r\n")
                # Turns are taken in order, so the lazy one could have had as many as these.
                for _ in range(size // BLOCK):
                    assert (await reader.get("/files/")).status == 200
                assert 0 < len(read) < size // BLOCK // 2
