"""The swarm: feeds of ours, connections with whoever asks for them, and connections that we make.

Everything runs on one event loop, which may have a thread of its own: see
:class:`nodevms.dat.SwarmThread`. Feeds are read on that loop. A peer that breaks the rules loses
its connection, with one line in the log ``nodevms.dat``, and nobody else notices.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nodevms.dat.feeds import Download, Shared, SharedFeeds
from nodevms.dat.growth import Growth
from nodevms.dat.limits import Limits
from nodevms.dat.link import Address, Link, listen
from nodevms.dat.links import Links
from nodevms.dat.peers import Peer
from nodevms.dat.session import Session
from nodevms.dat.targets import Targets
from nodevms.dat.wire import Handshake
from nodevms.errors import LocalProtocolError, UsageError
from nodevms.feed import ForkError, discovery_key

if TYPE_CHECKING:
    from nodevms.dat.shared_feed import SharedFeed

logger = logging.getLogger("nodevms.dat")

PORT = 3282
"""Where Dat has always been shared."""
_ID_BYTES = 32
_TICK_SECONDS = 1.0


class Swarm:
    """Shares feeds and downloads them. All methods are called on its event loop."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int | None = PORT,
        live: bool = True,
        on_fork: Callable[[bytes, ForkError], None] | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Make a swarm that does nothing yet.

        Args:
            host: Where to listen.
            port: The port to listen on, if it is free; any free one if not. None: do not listen.
            live: Keep connections when everything is downloaded, with peers that do the same.
            on_fork: Called with the key of a feed and the evidence when a peer proved a fork. The
                feed's download has been ended.
            limits: What strangers may cost.
            clock: Seconds; never goes back.
            random: Gives ids and nonces.
        """
        self._host = host
        self._wanted_port = port
        self._live = live
        self.on_fork = on_fork
        self._limits = limits or Limits()
        self._clock = clock
        self._random = random
        self._id = random(_ID_BYTES)
        self._feeds = SharedFeeds()
        self._links = Links(self._limits)
        self._growth: Growth | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._targets: Targets | None = None
        self.port = 0
        """Where the swarm listens, once it does."""

    async def start(self) -> None:
        """Listen, and begin to make connections.

        Raises:
            OSError: It is not possible to listen on that host.
        """
        self._loop = loop = asyncio.get_running_loop()
        if self._wanted_port is not None:
            self._server = await listen(
                lambda: self._link(incoming=True), self._host, self._wanted_port
            )
            self.port = self._server.sockets[0].getsockname()[1]
        self._targets = Targets(
            self._dial,
            needed=lambda key: self._feeds.by_key(key) is not None,
            twin=self._links.twin,
            limits=self._limits,
            clock=self._clock,
            random=self._random,
        )
        self._growth = Growth(loop, self._tell_growth, self._limits.growth_seconds)
        self._ticking = loop.create_task(self._tick_for_ever())

    async def stop(self) -> None:
        """End all connections and share nothing any more."""
        if self._server is not None:
            self._server.close()
        if self._targets is not None:
            await self._targets.stop()
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        for shared in self._feeds:
            shared.let_go()
        links = tuple(self._links)
        for link in links:
            link.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._limits.finished_seconds):
                await asyncio.gather(*(link.closed.wait() for link in links))
        for link in self._links:
            link.abort()

    @property
    def peers(self) -> tuple[Peer, ...]:
        """The connections as they are now."""
        return tuple(Peer.of(link) for link in self._links)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Public keys of the feeds that are shared."""
        return tuple(shared.key for shared in self._feeds)

    def share(self, feed: SharedFeed, *, drive: bool = False, beside: bytes | None = None) -> None:
        """Let others read a feed.

        Args:
            feed: What they may read.
            drive: It is a drive's metadata, whose readers will ask for the contents next.
            beside: Key of the feed on whose connections this one is downloaded, too.
        """
        self.unshare(feed.key)
        shared = Shared(feed, drive=drive, beside=beside)
        self._feeds.add(shared)
        name = discovery_key(feed.key)
        shared.forget = feed.on_growth(lambda: self._grew(name))
        for link in self._links:
            if link.session.connection.remote_opened(name):
                link.open(shared)

    def unshare(self, key: bytes) -> None:
        """Share and download a feed no longer, and end the connections with those who read it.

        The wire has no words for it: they would wait for ever, also when it is shared again.
        """
        shared = self._feeds.remove(key)
        if shared is None:
            return
        shared.let_go()
        if self._targets is not None:
            self._targets.forget(key)
        name = discovery_key(key)
        for link in self._links:
            link.session.close(name)
            if link.session.connection.remote_opened(name):
                link.close()

    def download(self, key: bytes, download: Download) -> None:
        """Ask every peer that has a shared feed open for what is wanted of it.

        Args:
            key: The feed's public key.
            download: What is wanted. It puts what comes into the feed that is shared.

        Raises:
            LocalProtocolError: The feed is not shared.
        """
        shared = self._feeds.by_key(key)
        if shared is None:
            raise LocalProtocolError("Only a shared feed can be downloaded.", code="dat-unshared")
        self.end_download(key)
        shared.download = download
        for link in self._links:
            open_there = link.session.exchanges
            if discovery_key(key) in open_there or (
                shared.beside is not None and discovery_key(shared.beside) in open_there
            ):
                link.open(shared)

    def end_download(self, key: bytes) -> None:
        """Ask nobody for a feed any more; it stays shared."""
        shared = self._feeds.by_key(key)
        if shared is not None and shared.download is not None:
            shared.download = None
            for link in self._links:
                if (exchange := link.session.exchanges.get(discovery_key(key))) is not None:
                    exchange.end_download()

    def connect(self, host: str, port: int, key: bytes) -> None:
        """Keep a connection with an address for the sake of a shared feed.

        Several feeds of one address go over one connection. The first try is made at once; others
        follow with growing pauses until the feed is no longer shared, or the swarm is stopped.

        Args:
            host: An IP address or a name.
            port: TCP port.
            key: The feed's public key.

        Raises:
            LocalProtocolError: The swarm has not started or the feed is not shared.
            UsageError: The port is none.
        """
        shared = self._feeds.by_key(key)
        if self._targets is None or shared is None:
            raise LocalProtocolError("Only a shared feed can be asked for.", code="dat-unshared")
        if not 0 < port < 65536:
            raise UsageError(f"{port} is no TCP port.", code="bad-port")
        self._connect(Address(host, port), shared, lasting=True)

    def found(self, name: bytes, host: str, port: int) -> None:
        """Connect to a peer that a discovery found, if the feed is shared; a few tries are made.

        Args:
            name: The feed's discovery key.
            host: An IP address.
            port: TCP port.
        """
        shared = self._feeds.by_name(name)
        if shared is not None and 0 < port < 65536:
            self._connect(Address(host, port), shared, lasting=False)

    def _connect(self, address: Address, shared: Shared, *, lasting: bool) -> None:
        if self._targets is None:
            return
        target = self._targets.add(address, shared.key, lasting=lasting)
        if target is not None and target.link is not None:
            target.link.open(shared)

    async def _dial(self, address: Address, keys: tuple[bytes, ...]) -> Link | None:
        if self._links.full or self._loop is None:
            return None
        _, link = await self._loop.create_connection(
            lambda: self._link(incoming=False), address.host, address.port
        )
        for key in keys:
            if (shared := self._feeds.by_key(key)) is not None:
                link.open(shared)
        return link

    def _link(self, *, incoming: bool) -> Link:
        session = Session(
            self._feeds,
            Handshake(self._id, live=self._live),
            incoming=incoming,
            limits=self._limits,
            now=self._clock(),
            random=self._random,
        )
        links = self._links
        return Link(
            session,
            self._clock,
            incoming=incoming,
            made=links.add,
            lost=self._lost,
            buffered=links.buffered,
        )

    def _lost(self, link: Link) -> None:
        self._links.remove(link)
        shared = link.session.forked
        if shared is not None and isinstance(link.error, ForkError):
            self.end_download(shared.key)
            if self.on_fork is not None:
                self.on_fork(shared.key, link.error)

    def _grew(self, name: bytes) -> None:
        """A feed grew; on any thread."""
        if self._growth is not None:
            self._growth.grew(name)

    def _tell_growth(self, name: bytes) -> None:
        for link in self._links:
            link.grew(name)

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self.tick()

    def tick(self) -> None:
        """Look after all time-outs and keep-alives; done once a second by itself."""
        for link in self._links:
            link.tick()
