"""One feed on one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodevms.errors import LocalProtocolError

if TYPE_CHECKING:
    from nodevms.dat.wire.connection import Connection
    from nodevms.dat.wire.messages import Message


class Channel:
    """What is said about one feed, both ways. Made by :meth:`Connection.open`.

    Attributes:
        key: The feed's public key, 32 bytes.
        discovery_key: 32 bytes.
        number: Our own number of it.
    """

    __slots__ = ("_connection", "closed", "discovery_key", "key", "number", "remote_opened")

    def __init__(
        self, connection: Connection, key: bytes, discovery_key: bytes, number: int
    ) -> None:
        self._connection = connection
        self.key = key
        self.discovery_key = discovery_key
        self.number = number
        self.remote_opened = False
        """Whether the other side has opened the feed too."""
        self.closed = False
        """Whether we are done with it."""

    def send(self, message: Message) -> None:
        """Queue a message for :meth:`Connection.take`.

        Raises:
            LocalProtocolError: The channel or the connection is closed, or the message is too
                long for a frame.
        """
        if self.closed:
            raise LocalProtocolError("The channel is closed.", code="dat-channel-closed")
        self._connection.send(self.number, message)

    def close(self) -> None:
        """Send nothing more, and ignore what still comes. The wire has no word for this."""
        self.closed = True
