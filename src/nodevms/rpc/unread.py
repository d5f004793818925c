"""What clients leave unread, over all connections: whoever does not read is cut off in the end.

A WebSocket's own bounds (see ``connection.py``) act when something is sent or received. This looks
from outside at every connection, so it also ends downloads and answers to POST that nobody takes,
and bounds what lies in memory for all clients together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from nodevms.rpc.limits import Limits


@dataclass(slots=True)
class _Lying:
    size: int
    since: float


class UnreadWatch:
    """Aborts connections whose readers have stopped.

    Args:
        transports: Gives the connections that are open.
        limits: ``stall_seconds``, after which a reader who took nothing has stopped (with
            ``linger_seconds`` more, so that a WebSocket's own cut, which says why, goes first),
            and ``unread_bytes_max``, beyond which those that leave most lying go.
    """

    def __init__(
        self, transports: Callable[[], Iterable[asyncio.Transport]], limits: Limits
    ) -> None:
        self._transports = transports
        self._stall_seconds = limits.stall_seconds + limits.linger_seconds
        self._bytes_max = limits.unread_bytes_max
        self._lying: dict[asyncio.Transport, _Lying] = {}

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, self._stall_seconds / 4))
            self.look(loop.time())

    def look(self, now: float) -> None:
        """Look once.

        Args:
            now: The time in seconds; it never goes back.
        """
        before, self._lying = self._lying, {}
        total = 0
        for transport in self._transports():
            size = transport.get_write_buffer_size()
            if not size:
                continue
            total += size
            last = before.get(transport)
            stays = last is not None and size >= last.size
            self._lying[transport] = _Lying(size, last.since if last and stays else now)
        latest = now - self._stall_seconds
        for transport in [t for t, lying in self._lying.items() if lying.since < latest]:
            total -= self._cut(transport)
        for transport in sorted(self._lying, key=lambda t: self._lying[t].size, reverse=True):
            if total <= self._bytes_max:
                break
            total -= self._cut(transport)

    def _cut(self, transport: asyncio.Transport) -> int:
        transport.abort()
        return self._lying.pop(transport).size
