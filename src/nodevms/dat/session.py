"""One connection with one peer, over all feeds that both know. No socket, no clock of its own.

The session answers a feed that the peer opens if the swarm shares it, opens those that it was told
to ask for, and carries each feed's messages to its uploader and its download. It ends with an
error that says whose fault it was; the swarm logs that and closes the socket.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodevms.dat.exchange import Exchange
from nodevms.dat.patience import Patience
from nodevms.dat.wire import (
    FRAME_BYTES_MAX,
    Connection,
    Event,
    FeedOpened,
    Handshake,
    HandshakeReceived,
    Received,
    RemoteState,
)
from nodevms.errors import NodeVMSError, RemoteProtocolError
from nodevms.feed import ForkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodevms.dat.feeds import Shared, SharedFeeds
    from nodevms.dat.limits import Limits


class SelfConnectionError(NodeVMSError):
    """The peer is this swarm itself."""

    code = "dat-self"


class Session:
    """The conversation with one peer.

    Attributes:
        connection: Its wire.
        exchanges: The feeds that are open on both sides or by us, by discovery key.
    """

    def __init__(
        self,
        feeds: SharedFeeds,
        handshake: Handshake,
        *,
        incoming: bool,
        limits: Limits,
        now: float,
        random: Callable[[int], bytes],
    ) -> None:
        """Begin a session on which nothing was said.

        Args:
            feeds: What may be opened.
            handshake: What we say of ourselves.
            incoming: The peer connected to us. If it is ourselves, the other end lets go.
            limits: What the peer may cost.
            now: Seconds of the clock whose later values the methods get.
            random: Gives nonces.
        """
        self.connection = Connection(handshake, random=random)
        self.connection.frame_bytes_max = limits.small_frame_bytes
        self.exchanges: dict[bytes, Exchange] = {}
        self.forked: Shared | None = None
        """The feed of which the peer proved a fork."""
        self._feeds = feeds
        self._incoming = incoming
        self._limits = limits
        self._events: Iterator[Event] | None = None
        self._patience = Patience(self.connection, limits, now)
        self._finished_at: float | None = None

    @property
    def live(self) -> bool:
        """Whether both sides keep the connection when everything is downloaded."""
        remote = self.connection.remote_handshake
        return self.connection.handshake.live and remote is not None and remote.live

    @property
    def busy(self) -> bool:
        """Whether received bytes wait for their :meth:`work`."""
        return self._events is not None

    def open(self, shared: Shared, now: float) -> None:
        """Open a feed with the peer, and download from it if anything of the feed is wanted.

        Raises:
            LocalProtocolError: The wire does not allow it.
        """
        channel = self.connection.open(shared.key)
        exchange = self.exchanges.get(channel.discovery_key)
        if exchange is None:
            exchange = Exchange(channel, shared, self._limits, now)
            self.exchanges[channel.discovery_key] = exchange
            for other in self._feeds.beside(shared.key):
                self.open(other, now)
        if self.connection.remote_handshake is not None:
            self._begin_download(exchange)
        if channel.remote_opened and self._events is None:
            self._events = self.connection.receive(b"")  # what was said before we opened it

    def close(self, name: bytes) -> None:
        """Be done with a feed.

        Args:
            name: Its discovery key.
        """
        exchange = self.exchanges.pop(name, None)
        if exchange is not None:
            exchange.close()

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the peer; :meth:`work` looks at them.

        Raises:
            RemoteProtocolError: They are too many.
        """
        self._patience.received(now)
        self._events = self.connection.receive(data)

    def work(self, now: float, *, room: bool) -> bool:
        """Handle some of what came, and answer as far as there is room.

        Args:
            now: Seconds of the clock.
            room: Whether the peer takes what we send.

        Returns:
            Whether there is more to do at once. If not, it waits for bytes or for room.

        Raises:
            NodeVMSError: The session is over: RemoteProtocolError, FeedFalseError and ForkError
                for what the peer sent, StorageError for a feed of ours.
        """
        self._hear(now)
        waiting = False
        for exchange in self.exchanges.values():
            if room:
                exchange.uploader.pump(self._has_room)
                waiting = waiting or exchange.uploader.waiting > 0
            exchange.say_when_done(live=self.live)
        return self.busy or waiting

    def grew(self, name: bytes) -> None:
        """Tell the peer what is new in a feed, with the next :meth:`work`.

        Args:
            name: The feed's discovery key.
        """
        exchange = self.exchanges.get(name)
        if exchange is not None:
            exchange.uploader.grew()

    def take(self, now: float) -> bytes:
        """Return what to send, and forget it."""
        data = self.connection.take()
        if data:
            self._patience.sent(len(data), now)
        return data

    def tick(self, now: float, unsent_bytes: int) -> bool:
        """Let time pass; to be called about once a second.

        Args:
            now: Seconds of the clock.
            unsent_bytes: What the peer has not taken yet of what :meth:`take` returned.

        Returns:
            Whether the session is over without any fault.

        Raises:
            NodeVMSError: It is over because the peer is too slow, silent or gone.
        """
        self._patience.tick(now, unsent_bytes)
        for exchange in tuple(self.exchanges.values()):
            exchange.tick(now)
            exchange.say_when_done(live=self.live)
        return self._is_finished(now)

    def leave(self) -> None:
        """The peer is gone: give what was asked of it back to the others."""
        for exchange in self.exchanges.values():
            exchange.close()

    def _hear(self, now: float) -> None:
        if self._events is None:
            return
        for _ in range(self._limits.turn_events):
            event = next(self._events, None)
            if event is None:
                self._events = None
                return
            self._handle(event, now)

    def _handle(self, event: Event, now: float) -> None:
        self._patience.heard(now)
        if isinstance(event, Received):
            exchange = self.exchanges.get(event.channel.discovery_key)
            if exchange is None:
                return
            try:
                exchange.receive(event.message, now)
            except ForkError:
                self.forked = exchange.shared
                raise
        elif isinstance(event, FeedOpened):
            shared = self._feeds.by_name(event.discovery_key)
            if shared is not None:
                self.open(shared, now)
            elif self.connection.state is RemoteState.KEY:
                raise RemoteProtocolError(
                    f"It asks for a feed that is not shared here ({event.discovery_key.hex()}).",
                    code="dat-unknown-feed",
                )
        elif isinstance(event, HandshakeReceived):
            if self.connection.is_self and not self._incoming:
                raise SelfConnectionError("The peer is this program itself.")
            for exchange in self.exchanges.values():
                self._begin_download(exchange)

    def _begin_download(self, exchange: Exchange) -> None:
        exchange.begin_download()
        if exchange.downloading:  # only blocks that we ask for are longer
            self.connection.frame_bytes_max = FRAME_BYTES_MAX

    def _has_room(self) -> bool:
        return self.connection.outgoing_bytes < self._limits.output_bytes

    def _is_finished(self, now: float) -> bool:
        """Whether all was downloaded long enough ago; the other side should have ended by now."""
        exchanges = self.exchanges.values()
        feeds = 2 if any(exchange.shared.drive for exchange in exchanges) else 1
        if len(exchanges) < feeds or not all(exchange.finished for exchange in exchanges):
            self._finished_at = None
            return False
        if self._finished_at is None:
            self._finished_at = now
        return now - self._finished_at >= self._limits.finished_seconds
