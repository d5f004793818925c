"""One connection of the Dat wire: bytes in, events out; messages in, bytes out. No socket.

Each direction begins with a Feed message in plain text that brings a nonce. From the next byte on
everything is XSalsa20 under the *public key* of that feed, so we can read on only once we know
which feed it is and have its key: both sides' first feed must be the same. Its Handshake comes
next. After that channels are opened in any number up to 256 and messages come in any order.

The other side's part of that is this table: what may come, and where it leads. Everything else
is an error of the other side.

    state     Feed      Handshake  other
    FEED      KEY       -          -
    KEY       (nothing can be read before `open`, which leads to HANDSHAKE)
    HANDSHAKE -         OPEN       -
    OPEN      OPEN      -          OPEN

Trusts nothing that it receives, and holds at most one frame, what came with it, and for feeds that
nobody opened yet 16 messages each and a megabyte together.

Spec: DEP-0010 (wire protocol), hypercore-protocol 6.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from enum import Enum

from nodevms.dat.wire import codec, messages
from nodevms.dat.wire.channel import Channel
from nodevms.dat.wire.cipher import XSalsa20
from nodevms.dat.wire.events import Event, FeedOpened, HandshakeReceived, KeepAlive, Received
from nodevms.dat.wire.frames import FrameDecoder
from nodevms.dat.wire.kinds import EXTENSION, FEED, HANDSHAKE, KINDS
from nodevms.dat.wire.outgoing import Outgoing
from nodevms.dat.wire.remote_channels import RemoteChannels
from nodevms.dat.wire.varint import decode_varint
from nodevms.errors import LocalProtocolError, RemoteProtocolError
from nodevms.feed import discovery_key

CHANNELS_MAX = 256
ID_BYTES = 32
KEYLESS_BYTES_MAX = 1 << 20
"""What may come, unreadable, before we say whether we know the connection's first feed."""


class RemoteState(Enum):
    """What we wait for from the other side."""

    FEED = "its first feed"
    KEY = "our key of its first feed"
    HANDSHAKE = "its handshake"
    OPEN = "anything"


_NEXT: dict[tuple[RemoteState, int], RemoteState] = {
    (RemoteState.FEED, FEED): RemoteState.KEY,
    (RemoteState.HANDSHAKE, HANDSHAKE): RemoteState.OPEN,
    **{
        (RemoteState.OPEN, kind): RemoteState.OPEN
        for kind in (*range(len(KINDS)), EXTENSION)
        if kind != HANDSHAKE
    },
}


class Connection:
    """One side of a connection with one peer.

    Attributes:
        handshake: What we say of ourselves.
        remote_handshake: What the other side said of itself, or None so far.
        channels: Those that we opened, by discovery key.
    """

    def __init__(
        self, handshake: messages.Handshake, *, random: Callable[[int], bytes] = os.urandom
    ) -> None:
        """Begin a connection on which nothing was said yet.

        Args:
            handshake: What to say of ourselves. Its ``id`` has 32 bytes, its extensions are
                sorted.
            random: Gives the nonce.
        """
        self.handshake = handshake
        self.remote_handshake: messages.Handshake | None = None
        self.channels: dict[bytes, Channel] = {}
        self._out = Outgoing(handshake, random)
        self._frames = FrameDecoder()
        self._keep_alives = 0
        self._remote = RemoteChannels(CHANNELS_MAX)
        self._state = RemoteState.FEED
        self._first = b""
        self._remote_nonce = b""
        self._decrypt: XSalsa20 | None = None

    @property
    def state(self) -> RemoteState:
        """What we wait for from the other side."""
        return self._state

    @property
    def is_self(self) -> bool:
        """Whether the other side is ourselves: it has our id."""
        remote = self.remote_handshake
        return remote is not None and bool(remote.id) and remote.id == self.handshake.id

    @property
    def outgoing_bytes(self) -> int:
        """Bytes that :meth:`take` would return."""
        return self._out.waiting_bytes

    @property
    def frame_bytes_max(self) -> int:
        """The longest frame that is taken from now on; at first what the wire allows."""
        return self._frames.bytes_max

    @frame_bytes_max.setter
    def frame_bytes_max(self, size: int) -> None:
        self._frames.bytes_max = size

    @property
    def buffered_bytes(self) -> int:
        """Bytes that were received and made no event yet."""
        return self._frames.buffered_bytes

    def open(self, key: bytes) -> Channel:
        """Open a feed, or return its channel if it is open.

        What the other side said about it before comes with the next :meth:`receive`, of no bytes
        if there are none.

        Args:
            key: The feed's public key, 32 bytes.

        Raises:
            LocalProtocolError: Too many feeds are open, or the first feed of the other side is
                another one.
        """
        name = discovery_key(key)
        if name in self.channels:
            self.channels[name].closed = False
            return self.channels[name]
        if len(self.channels) >= CHANNELS_MAX:
            raise LocalProtocolError("Too many feeds are open.", code="dat-channels")
        if not self._out.key and self._first not in {b"", name}:
            raise LocalProtocolError(
                "The first feed must be that of the other side.", code="dat-first-feed"
            )
        number = len(self.channels)
        channel = self.channels[name] = Channel(self, key, name, number)
        if self._out.key:
            self._out.send(number, messages.Feed(name))
        else:
            self._out.begin(key, name)
            self._start_reading()
        self._remote.accept(name)
        channel.remote_opened = self._remote.opened(name)
        return channel

    def remote_opened(self, name: bytes) -> bool:
        """Whether the other side has opened the feed with this discovery key."""
        return self._remote.opened(name)

    def refuse(self, name: bytes) -> None:
        """Ignore what the other side says about a feed.

        Args:
            name: The feed's discovery key.

        Raises:
            LocalProtocolError: It is the connection's first: then nothing can be read, and the
                connection has to end.
        """
        if name == self._first and self._state is RemoteState.KEY:
            raise LocalProtocolError("Nothing can be read without a key.", code="dat-first-feed")
        self._remote.refuse(name)

    def send(self, number: int, message: messages.Message) -> None:
        """Queue a message on one of our channels; use :meth:`Channel.send`."""
        self._out.send(number, message)

    def keep_alive(self) -> None:
        """Queue a keep-alive, if the first feed is open."""
        self._out.keep_alive()

    def take(self) -> bytes:
        """Return what to send, and forget it."""
        return self._out.take()

    def receive(self, data: bytes) -> Iterator[Event]:
        """Take bytes from the other side.

        Returns:
            The events of all that can be read by now, made one by one as they are asked for, so
            that a feed can be opened before what follows it is looked at. What is not asked for
            comes with the next call.

        Raises:
            RemoteProtocolError: The other side broke the rules (raised by the iterator, too).
                Nothing that it sends after that can be read.
        """
        if data:
            self._frames.add(self._decrypt.apply(data) if self._decrypt else data)
        if self._state is RemoteState.KEY and self._frames.buffered_bytes > KEYLESS_BYTES_MAX:
            raise RemoteProtocolError(
                "Too much came before the first feed was known.", code="dat-keyless"
            )
        return self._events()

    def _events(self) -> Iterator[Event]:
        while True:
            for name, message in self._remote.replayed(self.channels):
                yield Received(self.channels[name], message)
            if self._state is RemoteState.KEY:
                return
            found = self._frames.next()
            if found is None:
                break
            event = self._event(*found)
            if event is not None:
                yield event
        if self._frames.keep_alives != self._keep_alives:
            self._keep_alives = self._frames.keep_alives
            yield KeepAlive()

    def _event(self, data: bytes, start: int, end: int) -> Event | None:
        header, place = decode_varint(data, start, end)
        number, kind = header >> 4, header & 15
        state = _NEXT.get((self._state, kind))
        if state is None:
            raise RemoteProtocolError(
                f"A message of type {kind} came where {self._state.value} was due.",
                code="dat-unexpected",
            )
        if number >= CHANNELS_MAX:
            raise RemoteProtocolError(
                f"There are only {CHANNELS_MAX} channels.", code="dat-channel"
            )
        if kind == FEED:
            return self._opened(number, codec.decode(messages.Feed, data, place, end), state)
        name = self._remote.name(number)
        if kind == HANDSHAKE:
            self._state = state
            self.remote_handshake = codec.decode(messages.Handshake, data, place, end)
            return HandshakeReceived(self.remote_handshake)
        channel = self.channels.get(name)
        if (channel is not None and channel.closed) or self._remote.refused(name):
            return None
        message = self._message(kind, data, place, end)
        if message is None:
            return None
        if channel is None:
            self._remote.keep(name, message, end - start)
            return None
        return Received(channel, message)

    def _message(self, kind: int, data: bytes, start: int, end: int) -> messages.Message | None:
        if kind != EXTENSION:
            message: messages.Message = codec.decode(KINDS[kind], data, start, end)
            return message
        number, place = decode_varint(data, start, end)
        theirs = self.remote_handshake.extensions if self.remote_handshake else ()
        if number < len(theirs) and theirs[number] in self.handshake.extensions:
            return messages.Extension(theirs[number], data[place:end])
        return None

    def _opened(self, number: int, feed: messages.Feed, state: RemoteState) -> Event | None:
        name = feed.discovery_key
        if self._state is RemoteState.FEED:
            if not feed.nonce:
                raise RemoteProtocolError("The first feed has no nonce.", code="dat-nonce")
            if self._out.key and name not in self.channels:
                raise RemoteProtocolError(
                    "The other side's first feed is another one than ours.", code="dat-first-feed"
                )
            self._first, self._remote_nonce = name, feed.nonce
        self._state = state
        self._remote.open(number, name)
        self._start_reading()
        if name in self.channels:
            self.channels[name].remote_opened = True
            return None
        return FeedOpened(name)

    def _start_reading(self) -> None:
        """Decrypt from here on, once both the other side's nonce and the key are known."""
        if self._state is RemoteState.KEY and self._out.key:
            self._decrypt = XSalsa20(self._out.key, self._remote_nonce)
            self._state = RemoteState.HANDSHAKE
            rest = self._frames.take_rest()
            self._frames.add(self._decrypt.apply(rest))
