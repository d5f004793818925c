"""A client that keeps a server busy and remembers every answer, for those who crash the server."""

from __future__ import annotations

import json
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from command_line import Server

from nodevms.rpc.connection import SUBPROTOCOL
from nodevms.vm import CallLog
from nodevms.vm.entries import Call, Entry

IN_FLIGHT = 32
SCRIPT = str(Path(__file__).with_name("crash_backend.js"))


class Load:
    """Calls with numbers of their own.

    Attributes:
        acknowledged: The answer to each call that was answered, by its number.
        refused: The errors that calls got, by their number.
    """

    def __init__(self) -> None:
        self.acknowledged: dict[int, Any] = {}
        self.refused: dict[int, Any] = {}
        self._numbers = count()

    async def run(self, server: Server, answers: int) -> None:
        """Call until so many answers came, or the connection ends."""
        wanted = len(self.acknowledged) + answers
        async with aiohttp.ClientSession() as session:
            wire = await session.ws_connect(f"ws://{server.address}/", protocols=(SUBPROTOCOL,))
            for _ in range(IN_FLIGHT):
                await self._send(wire)
            async for message in wire:
                self.note(json.loads(message.data))
                if len(self.acknowledged) >= wanted:
                    server.process.kill()
                try:
                    await self._send(wire)
                except (aiohttp.ClientError, ConnectionError):
                    continue  # what was received before the end is still to be read

    async def _send(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        n = next(self._numbers)
        text = json.dumps(
            {"jsonrpc": "2.0", "method": "put", "params": [n, "x" * (n % 400)], "id": n}
        )
        await wire.send_str(text)

    def note(self, answer: Any) -> None:
        """Remember an answer."""
        kind = self.refused if "error" in answer else self.acknowledged
        kind[answer["id"]] = answer

    def check(self, entries: list[Entry]) -> None:
        """Every acknowledged call is in the log as it was answered, and no call ran twice."""
        calls = {
            seq: json.loads(bytes(entry.call.args))[0]
            for seq, entry in enumerate(entries)
            if isinstance(entry, Call)
        }
        assert [n for n, times in Counter(calls.values()).items() if times > 1] == []
        for n, answer in self.acknowledged.items():
            entry = entries[answer["seq"]]
            assert calls.get(answer["seq"]) == n
            assert json.loads(bytes(entry.result.res)) == answer["result"]  # type: ignore[arg-type]
            assert answer["epoch"] <= answer["seq"]


def entries_of(directory: Path | str) -> list[Entry]:
    """Read a whole log."""
    log = CallLog.open(directory)
    entries = list(log.list())
    log.close()
    return entries
