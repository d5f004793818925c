"""What a server says about its backend. Nothing is verified.

The handshake and ``rpc.discover`` say most of it. The rest is in three entries of the log, of which
no more than their bytes and the tree's nodes on the way to them are fetched.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final

import aiohttp
import msgspec

from nodevms.cli.discover import parameters_of
from nodevms.cli.info_facts import describe
from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.feed.flat_tree import full_roots
from nodevms.rpc import BackendInfo, RPCClient, parse_backend_url
from nodevms.rpc.doors import HEADER_BYTES, NODE_BYTES, HeadDocument
from nodevms.vm.entries import ENTRY_BYTES_MAX, Call, Entry, Init, Upgrade, decode

HEAD_BYTES_MAX: Final = 4096
LENGTH_MAX: Final = 1 << 52


async def of_url(target: str, user: str | None, timeout_seconds: float) -> dict[str, object]:
    """Return the facts about the backend at an address.

    Raises:
        NodeVMSError: As :class:`nodevms.rpc.RPCClient` raises it.
        CouldNotCheckError: What the server says makes no sense.
    """
    async with RPCClient(timeout_seconds=timeout_seconds) as client:
        await client.connect(target, user)
        info, parameters = client.info, await parameters_of(client)
    if info is None:
        raise CouldNotCheckError(f"{target} did not say what it serves")
    facts: dict[str, object] = {
        "title": info.title,
        "files": info.files_archive_url,
        "callLog": info.call_log_url,
        "codeHash": info.code_hash,
        "epoch": info.epoch,
        "debug": info.debug,
        "version": info.version,
        "methods": list(info.methods),
        "readonly": list(info.readonly),
        "parameters": {name: list(names) for name, names in parameters.items()},
    }
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        try:
            log = await _RemoteLog.open(session, f"{parse_backend_url(target).http}feeds/call-log/")
            return facts if log is None else await _with_entries(facts, info, log)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CouldNotCheckError(f"{target}: the call log cannot be read: {error}") from error
        except (ProvedFalseError, msgspec.DecodeError, struct.error, ValueError) as error:
            raise CouldNotCheckError(f"{target}: what it serves is no call log: {error}") from error


async def _with_entries(
    facts: dict[str, object], info: BackendInfo, log: _RemoteLog
) -> dict[str, object]:
    first, start, last = await asyncio.gather(
        *(log.entry(seq) for seq in (0, info.epoch, log.length - 1))
    )
    if not isinstance(first, Init) or isinstance(start, Call):
        raise CouldNotCheckError("the call log and the handshake contradict each other")
    code = start.code if isinstance(start, Init | Upgrade) else ""
    described = describe(first, start, code, last, entries=log.length, epoch=info.epoch)
    return described | facts


class _RemoteLog:
    """A log on a server, of which single entries are read."""

    def __init__(self, session: aiohttp.ClientSession, base: str, length: int) -> None:
        self.length: Final = length
        self._session = session
        self._base = base

    @classmethod
    async def open(cls, session: aiohttp.ClientSession, base: str) -> _RemoteLog | None:
        """Ask for the head; None if the server does not serve its log."""
        async with session.get(f"{base}head") as response:
            if response.status != 200:
                return None
            text = await response.content.read(HEAD_BYTES_MAX)
        head = msgspec.json.decode(text, type=HeadDocument)
        if not 0 < head.length < LENGTH_MAX:
            raise ValueError(f"it has {head.length} entries")
        return cls(session, base, head.length)

    async def entry(self, seq: int) -> Entry:
        """Return one entry."""
        if not 0 <= seq < self.length:
            raise ValueError(f"it has no entry {seq}")
        sizes = await asyncio.gather(*map(self._size, [2 * seq, *full_roots(seq)]))
        if sizes[0] > ENTRY_BYTES_MAX:
            raise ValueError(f"entry {seq} has {sizes[0]:,} bytes")
        return decode(await self._read("data", sum(sizes[1:]), sizes[0]))

    async def _size(self, node: int) -> int:
        stored = await self._read("tree", HEADER_BYTES + NODE_BYTES * node, NODE_BYTES)
        return int(struct.unpack(">32xQ", stored)[0])

    async def _read(self, part: str, start: int, size: int) -> bytes:
        headers = {"Range": f"bytes={start}-{start + size - 1}"}
        async with self._session.get(f"{self._base}{part}", headers=headers) as response:
            response.raise_for_status()
            data = bytearray()
            async for chunk in response.content.iter_chunked(65536):
                data += chunk
                if len(data) > size:
                    break
        if len(data) != size:
            raise ValueError(f"{len(data)} bytes of {part} instead of {size}")
        return bytes(data)
