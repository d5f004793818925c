"""What a connection tells of what it received."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodevms.dat.wire.channel import Channel
    from nodevms.dat.wire.messages import Handshake, Message


@dataclass(frozen=True, slots=True)
class FeedOpened:
    """The other side opened a feed that we have not opened yet.

    Answer with :meth:`Connection.open` or :meth:`Connection.refuse`. Until then its messages are
    kept, a few of them; and if it is the connection's first feed nothing more can be read.

    Attributes:
        discovery_key: 32 bytes.
    """

    discovery_key: bytes


@dataclass(frozen=True, slots=True)
class HandshakeReceived:
    """The other side told about itself. Comes once, before the first :class:`Received`."""

    handshake: Handshake


@dataclass(frozen=True, slots=True)
class Received:
    """A message came on a channel that we opened too."""

    channel: Channel
    message: Message


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The other side lives, and had nothing to say. Several that came together count as one."""


Event = FeedOpened | HandshakeReceived | Received | KeepAlive
