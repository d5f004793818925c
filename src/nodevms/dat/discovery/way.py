"""What every way of finding peers has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Found = Callable[[bytes, str, int], None]
"""Called with a discovery key, a peer's host and its port, on the event loop."""


class Way(Protocol):
    """One way of finding peers, such as multicast DNS.

    All methods are called on one event loop. Announcing and looking up may begin before the start
    and are then taken up by it.
    """

    async def start(self) -> None:
        """Take what is needed of the network."""

    async def stop(self) -> None:
        """Give everything back; the way is not started again."""

    def announce(self, discovery_key: bytes, port: int) -> None:
        """Let others find us as one who has a feed, on a TCP port of ours."""

    def unannounce(self, discovery_key: bytes) -> None:
        """Let others find us no more, as far as the protocol can."""

    def lookup(self, discovery_key: bytes) -> None:
        """Look for others who have a feed, until :meth:`forget`."""

    def forget(self, discovery_key: bytes) -> None:
        """Look no more for others who have a feed."""
