"""A disk that takes no more: callers hear that the outcome is unknown, nothing acknowledged is lost.

The full disk is the limit that the system sets to the size of a process's files: writing beyond it
fails in the same place, and the limit can be lifted while the process runs.
"""

from __future__ import annotations

import asyncio
import json
import resource
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from command_line import PATIENCE_S, Server, in_process, serving
from load import SCRIPT, Load, entries_of

from nodevms.rpc.connection import SUBPROTOCOL
from nodevms.vm.entries import Restart

UNLIMITED = resource.RLIM_INFINITY
FULL_BYTES = 60_000

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux alone has prlimit")


def set_full(server: Server, size: int) -> None:
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, UNLIMITED))


class Caller:
    """One call at a time, on a connection that stays."""

    def __init__(self, server: Server, load: Load) -> None:
        self._url = f"ws://{server.address}/"
        self._load = load
        self.last: Any = None

    async def __aenter__(self) -> Caller:
        self._session = aiohttp.ClientSession()
        self._wire = await self._session.ws_connect(self._url, protocols=(SUBPROTOCOL,))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.close()
        await self._session.close()

    async def call(self, n: int, method: str = "put", size: int = 3000) -> Any:
        text = {"jsonrpc": "2.0", "method": method, "params": [n, "x" * size], "id": n}
        await self._wire.send_str(json.dumps(text))
        answer = json.loads(await self._wire.receive_str(timeout=PATIENCE_S))
        self._load.note(answer)
        return answer


@pytest.mark.parametrize(
    ("method", "size", "full"),
    [
        ("put", 3000, "the state index could not be used: disk I/O error"),
        ("note", 3000, "/call-log.data: "),
        ("put", 100_000, "/files/content/data: "),
    ],
)
async def test_a_full_disk_loses_nothing_and_the_backend_goes_on_when_there_is_room(
    place: Path, method: str, size: int, full: str
) -> None:
    load = Load()
    with serving(SCRIPT, "--dir", "full") as server:
        async with Caller(server, load) as caller:
            await caller.call(0)
            await caller.call(1, "note")  # answered after the index had what the first one wrote
            set_full(server, FULL_BYTES)
            n = 2
            while "result" in (answer := await caller.call(n, method, size)):
                n += 1
            if "index" in full:  # it fails behind an answer, and the next call meets that anywhere
                assert answer["error"]["code"] in (-32004, -32005)
            else:
                assert answer["error"]["code"] == -32005
                assert "may or may not" in answer["error"]["data"]
            for later in range(n + 1, n + 20):  # as long as there is no room
                assert (await caller.call(later, method, size))["error"]["code"] in (-32004, -32005)
            set_full(server, UNLIMITED)
            later = n + 100
            async with asyncio.timeout(PATIENCE_S):
                while "result" not in (answer := await caller.call(later)):
                    assert answer["error"]["code"] in (-32004, -32005)
                    later += 1
                    await asyncio.sleep(0.05)
        assert "the backend runs again, in a new epoch" in server.log()
        assert full in server.log()
        assert "Traceback" not in server.log()
    entries = entries_of("full")
    load.check(entries)
    assert any(isinstance(entry, Restart) for entry in entries)
    assert in_process("verify", "full").exit_code == 0


async def test_a_server_that_is_stopped_while_the_disk_is_full_can_be_started_again(
    place: Path,
) -> None:
    load = Load()
    with serving(SCRIPT, "--dir", "full") as server:
        async with Caller(server, load) as caller:
            set_full(server, FULL_BYTES)
            n = 0
            while "result" in await caller.call(n):
                n += 1
    with serving(SCRIPT, "--dir", "full") as server:
        async with Caller(server, load) as caller:
            assert "result" in await caller.call(1000)
    load.check(entries_of("full"))
    assert in_process("verify", "full").exit_code == 0


def test_a_start_on_a_full_disk_is_refused_and_leaves_nothing(place: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        done = in_process("exec", SCRIPT, "--dir", "full", "-p", "0")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.exit_code == 3, done.output
    assert "Could not write" in done.output
    assert list(place.iterdir()) == []
