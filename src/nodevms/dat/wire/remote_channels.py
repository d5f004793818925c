"""The channels that the other side opened: their numbers, and what came too early on them."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from nodevms.errors import RemoteProtocolError

if TYPE_CHECKING:
    from nodevms.dat.wire.messages import Message

EARLY_MESSAGES_MAX = 16
"""Messages that are kept for a feed that we have neither opened nor refused."""
EARLY_BYTES_MAX = 1 << 20
"""Bytes of all such messages on one connection."""


class RemoteChannels:
    """Which feed each number of the other side's means."""

    def __init__(self, channels_max: int) -> None:
        self._channels_max = channels_max
        self._names: dict[int, bytes] = {}
        self._refused: set[bytes] = set()
        self._early: dict[bytes, deque[tuple[Message, int]]] = {}
        self._early_bytes = 0

    def open(self, number: int, name: bytes) -> None:
        """Take note that a number means a feed. A feed may move to another number.

        Raises:
            RemoteProtocolError: The number has a meaning already, or there are too many feeds.
        """
        if number in self._names:
            raise RemoteProtocolError(f"Channel {number} is open already.", code="dat-channel")
        if len(self._names) >= self._channels_max:
            raise RemoteProtocolError("Too many channels are open.", code="dat-channel")
        self._names[number] = name

    def name(self, number: int) -> bytes:
        """Return the discovery key that a number means.

        Raises:
            RemoteProtocolError: None.
        """
        name = self._names.get(number)
        if name is None:
            raise RemoteProtocolError(f"Channel {number} is not open.", code="dat-channel")
        return name

    def opened(self, name: bytes) -> bool:
        """Whether the other side opened the feed."""
        return name in self._names.values()

    def refuse(self, name: bytes) -> None:
        """Ignore a feed, and forget what came about it."""
        self._refused.add(name)
        for _, size in self._early.pop(name, ()):
            self._early_bytes -= size

    def accept(self, name: bytes) -> None:
        """Ignore a feed no longer."""
        self._refused.discard(name)

    def refused(self, name: bytes) -> bool:
        """Whether the feed is ignored."""
        return name in self._refused

    def keep(self, name: bytes, message: Message, size: int) -> None:
        """Keep a message of a feed that is not open on our side.

        What is beyond the bounds is forgotten: whoever opens the feed later sends a Want and
        hears it again.
        """
        early = self._early.setdefault(name, deque())
        if len(early) < EARLY_MESSAGES_MAX and self._early_bytes + size <= EARLY_BYTES_MAX:
            early.append((message, size))
            self._early_bytes += size

    def replayed(self, opened: Container[bytes]) -> Iterator[tuple[bytes, Message]]:
        """Yield, and forget, the kept messages of feeds that are open on our side by now."""
        if self._early:
            for name in [name for name in self._early if name in opened]:
                early = self._early[name]
                while early:
                    message, size = early.popleft()
                    self._early_bytes -= size
                    yield name, message
                self._early.pop(name, None)
