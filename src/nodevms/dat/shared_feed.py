"""What the network may read of a feed, and our own feeds seen so.

Only what is synced leaves the process: a block that a power cut takes away again after a stranger
has it would be a fork.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from nodevms.errors import LocalProtocolError
from nodevms.feed.seeking import seek

if TYPE_CHECKING:
    from nodevms.feed import Feed, Head, Proof


class SharedFeed(Protocol):
    """A feed that others may read: whole, or with holes. Called on the swarm's thread."""

    @property
    def key(self) -> bytes:
        """The 32-byte public key."""

    def head(self) -> Head:
        """Return the longest head that may leave the process."""

    def has(self, index: int) -> bool:
        """Whether a block is here and may leave the process."""

    def have_bitmap(self, start: int, end: int) -> bytes:
        """Return a bit for each block from ``start`` to before ``end``, the first the highest."""

    def get(self, index: int) -> bytes:
        """Return a block.

        Raises:
            LocalProtocolError: It is not here.
            StorageError: It cannot be read.
        """

    def proof(self, index: int, digest: int = 0) -> Proof:
        """Return the nodes of a block's proof that one with this digest lacks, and the signature.

        Raises:
            LocalProtocolError: The block is not here.
            StorageError: They cannot be read.
        """

    def seek(self, offset: int) -> int | None:
        """Return the block that holds this byte of the feed, or None if that cannot be told."""

    def on_growth(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have the callback called, from any thread, after blocks came; return what ends that."""


class PublishedFeed:
    """A :class:`nodevms.feed.Feed` as a :class:`SharedFeed`: its synced blocks, without holes.

    Another thread may append and sync meanwhile, as the feed's module says.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    @property
    def key(self) -> bytes:
        """See :class:`SharedFeed`."""
        return self._feed.key

    def head(self) -> Head:
        """See :class:`SharedFeed`."""
        return self._feed.synced_head()

    def has(self, index: int) -> bool:
        """See :class:`SharedFeed`."""
        return 0 <= index < self._feed.synced_length

    def have_bitmap(self, start: int, end: int) -> bytes:
        """See :class:`SharedFeed`."""
        size = max(end - start, 0)
        have = min(max(self._feed.synced_length - start, 0), size)
        full, rest = divmod(have, 8)
        last = bytes([0xFF00 >> rest & 0xFF]) if rest else b""
        return (b"\xff" * full + last).ljust(-(-size // 8), b"\x00")

    def get(self, index: int) -> bytes:
        """See :class:`SharedFeed`."""
        self._check(index, self._feed.synced_length)
        return self._feed.get(index)

    def proof(self, index: int, digest: int = 0) -> Proof:
        """See :class:`SharedFeed`."""
        return self._feed.proof(index, digest)

    def seek(self, offset: int) -> int | None:
        """See :class:`SharedFeed`."""
        return seek(self._feed.synced_head().roots, offset, self._feed.node)

    def on_growth(self, callback: Callable[[], None]) -> Callable[[], None]:
        """See :class:`SharedFeed`."""
        return self._feed.on_sync(callback)

    def _check(self, index: int, length: int) -> None:
        if not 0 <= index < length:
            raise LocalProtocolError(f"There is no synced block {index}.", code="feed-no-block")
