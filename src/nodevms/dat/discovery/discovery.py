"""Several ways of finding peers as one, with bounds on what is believed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from nodevms.dat.discovery.found_peers import FoundPeers
from nodevms.dat.discovery.interfaces import ipv4_interfaces
from nodevms.dat.discovery.way import Found, Way

_log = logging.getLogger(__name__)


class Discovery:
    """Announces and looks up feeds in several ways at once.

    A peer is passed on once, and again after 20 seconds if somebody still names it; we ourselves
    never, as far as an address can tell. What others make up is bounded: see
    :mod:`nodevms.dat.discovery.found_peers`.

    Args:
        found: Called for each peer that is news.
        ways: Makes each way, given the function to call for what it finds: a class such as
            :class:`MulticastDiscovery`, or ``partial(MainlineDht, bootstrap=…)``.
    """

    def __init__(self, found: Found, ways: Sequence[Callable[[Found], Way]]) -> None:
        self._found = found
        self._peers = FoundPeers(_own_hosts)
        self._announced: dict[bytes, int] = {}
        self._wanted: set[bytes] = set()
        self._ways = [way(partial(self._named, number)) for number, way in enumerate(ways)]
        self._started: list[Way] = []

    async def start(self) -> None:
        """Start every way.

        Raises:
            UsageError: A way cannot work on this computer; none is then left running.
        """
        try:
            for way in self._ways:
                self._started.append(way)
                await way.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop every way; nothing is found afterwards."""
        self._wanted.clear()
        while self._started:
            await self._started.pop().stop()

    def announce(self, discovery_key: bytes, port: int) -> None:
        """Let others find us as one who has a feed, on a TCP port of ours."""
        self._disown(discovery_key)
        self._announced[discovery_key] = port
        self._peers.own(port)
        for way in self._ways:
            way.announce(discovery_key, port)

    def unannounce(self, discovery_key: bytes) -> None:
        """Let others find us no more, as far as the protocols can."""
        self._disown(discovery_key)
        for way in self._ways:
            way.unannounce(discovery_key)

    def lookup(self, discovery_key: bytes) -> None:
        """Look for others who have a feed, until :meth:`forget`."""
        self._wanted.add(discovery_key)
        for way in self._ways:
            way.lookup(discovery_key)

    def forget(self, discovery_key: bytes) -> None:
        """Look no more for others who have a feed, and forget who was found."""
        self._wanted.discard(discovery_key)
        for way in self._ways:
            way.forget(discovery_key)
        self._peers.forget(discovery_key)

    def _disown(self, discovery_key: bytes) -> None:
        port = self._announced.pop(discovery_key, None)
        if port is not None:
            self._peers.disown(port)

    def _named(self, way: int, discovery_key: bytes, host: str, port: int) -> None:
        if discovery_key not in self._wanted:
            return
        now = asyncio.get_running_loop().time()
        if self._peers.is_news(discovery_key, way, host, port, now):
            _log.debug("Found %s:%d for feed %s…", host, port, discovery_key[:4].hex())
            self._found(discovery_key, host, port)


def _own_hosts() -> set[str]:
    return {str(each.address) for each in ipv4_interfaces()}
