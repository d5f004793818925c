"""A swarm together with the ways in which its peers find each other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nodevms.dat.discovery import Discovery
from nodevms.feed import discovery_key

if TYPE_CHECKING:
    from nodevms.dat.discovery import Found, Way
    from nodevms.dat.feeds import Download
    from nodevms.dat.link import Address
    from nodevms.dat.peers import Peer
    from nodevms.dat.shared_feed import SharedFeed
    from nodevms.dat.swarm import Swarm
    from nodevms.feed import ForkError

_QUIET_SECONDS = 0.5
_LAST_WORDS_SECONDS = 3.0


class Network:
    """Shares feeds with whoever finds them, and finds those who have what we want.

    All methods are called on one event loop, which may have a thread of its own
    (:class:`nodevms.dat.SwarmThread`).

    Attributes:
        swarm: The connections.
    """

    def __init__(self, swarm: Swarm, ways: Sequence[Callable[[Found], Way]] = ()) -> None:
        """Make a network that does nothing yet.

        Args:
            swarm: Makes and takes the connections.
            ways: Each makes one way of finding peers, told where to report them.
        """
        self.swarm = swarm
        self._forked: dict[bytes, Callable[[ForkError], None]] = {}
        swarm.on_fork = self._fork
        self._discovery = Discovery(swarm.found, ways)
        self._peers: list[Address] = []

    async def start(self) -> None:
        """Listen, and join every way of finding peers.

        Raises:
            OSError: It is not possible to listen.
            UsageError: A way of finding peers cannot work on this computer.
        """
        await self.swarm.start()
        try:
            await self._discovery.start()
        except BaseException:
            await self.swarm.stop()
            raise

    async def stop(self) -> None:
        """End everything."""
        await self._discovery.stop()
        await self.swarm.stop()

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The connections as they are now."""
        return self.swarm.peers

    def always_ask(self, address: Address) -> None:
        """Connect to this address for every feed that is downloaded from now on."""
        self._peers.append(address)

    def share(self, feed: SharedFeed, *, drive: bool = False, beside: bytes | None = None) -> None:
        """Let others find and read a feed.

        Args:
            feed: What they may read.
            drive: It is a drive's metadata, whose readers will ask for the contents next.
            beside: Key of the feed on whose connections this one is downloaded, too.
        """
        self.swarm.share(feed, drive=drive, beside=beside)
        if self.swarm.port:
            self._discovery.announce(discovery_key(feed.key), self.swarm.port)

    def download(
        self,
        key: bytes,
        download: Download,
        on_fork: Callable[[ForkError], None] | None = None,
    ) -> None:
        """Find peers of a shared feed, and ask them for what is wanted of it.

        Args:
            key: The feed's public key.
            download: What is wanted.
            on_fork: Called with the evidence when a peer proved a fork. The download has ended.

        Raises:
            LocalProtocolError: The feed is not shared.
        """
        self.swarm.download(key, download)
        if on_fork is not None:
            self._forked[key] = on_fork
        for address in self._peers:
            self.swarm.connect(address.host, address.port, key)
        self._discovery.lookup(discovery_key(key))

    def end_download(self, key: bytes) -> None:
        """Look for a feed no longer; it stays shared."""
        self.swarm.end_download(key)
        self._discovery.forget(discovery_key(key))

    def unshare(self, key: bytes) -> None:
        """Share and download a feed no longer."""
        name = discovery_key(key)
        self._discovery.unannounce(name)
        self._discovery.forget(name)
        self.swarm.unshare(key)
        self._forked.pop(key, None)

    def _fork(self, key: bytes, error: ForkError) -> None:
        if key in self._forked:
            self._forked[key](error)

    async def last_words(self) -> None:
        """Give peers that follow our feeds a moment to fetch what came last."""
        sent = -1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS):
                while self.peers and (now := sum(peer.sent_bytes for peer in self.peers)) != sent:
                    sent = now
                    await asyncio.sleep(_QUIET_SECONDS)
