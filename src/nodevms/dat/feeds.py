"""The feeds that a swarm shares, found by the name that strangers use for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nodevms.feed import discovery_key

if TYPE_CHECKING:
    from nodevms.dat.shared_feed import SharedFeed
    from nodevms.dat.wire import Message


class DownloadPeer(Protocol):
    """One feed's download as far as it concerns one peer."""

    def receive(self, message: Message, /) -> None:
        """Take a Have, Unhave or Data.

        Raises:
            RemoteProtocolError: The peer broke the rules.
            FeedFalseError: What it sent is not what the feed's key signed.
            ForkError: It proved that the feed has two histories.
        """

    def tick(self, now: float, /) -> None:
        """Let time pass; raises as :meth:`receive`, when requests were not answered in time."""

    def leave(self) -> None:
        """The peer is gone."""


class Download(Protocol):
    """The download of one feed from any number of peers."""

    @property
    def done(self) -> bool:
        """Whether everything wanted is here, so that nothing more will be asked for."""

    def join(self, send: Callable[[Message], None], /) -> DownloadPeer:
        """Begin with a peer.

        Args:
            send: Takes what is to be said to it.
        """


@dataclass(slots=True)
class Shared:
    """One feed of the swarm.

    Attributes:
        feed: What others may read.
        drive: It is a drive's metadata: whoever reads it will want the contents, too.
        beside: Key of another feed: whoever has that one is asked for this one on the same
            connection, as the programs of 2017 find a drive's contents.
        download: What we want of it ourselves, if we do.
        forget: Ends the swarm's listening to the feed's growth.
    """

    feed: SharedFeed
    drive: bool = False
    beside: bytes | None = None
    download: Download | None = None
    forget: Callable[[], None] | None = None

    @property
    def key(self) -> bytes:
        """The feed's public key."""
        return self.feed.key

    def let_go(self) -> None:
        """Listen to the feed's growth no more."""
        if self.forget is not None:
            self.forget()
            self.forget = None


class SharedFeeds:
    """All feeds of a swarm."""

    def __init__(self) -> None:
        self._shared: dict[bytes, Shared] = {}

    def add(self, shared: Shared) -> None:
        """Share a feed. One that is there already is replaced."""
        self._shared[discovery_key(shared.key)] = shared

    def remove(self, key: bytes) -> Shared | None:
        """Share a feed no longer, and return what was known of it."""
        return self._shared.pop(discovery_key(key), None)

    def by_key(self, key: bytes) -> Shared | None:
        """Return the feed with this public key."""
        return self._shared.get(discovery_key(key))

    def by_name(self, name: bytes) -> Shared | None:
        """Return the feed with this discovery key."""
        return self._shared.get(name)

    def beside(self, key: bytes) -> Iterator[Shared]:
        """Yield the feeds that are wanted from whoever has the feed with this key."""
        for shared in self:
            if shared.beside == key and shared.download is not None:
                yield shared

    def __iter__(self) -> Iterator[Shared]:
        return iter(tuple(self._shared.values()))

    def __len__(self) -> int:
        return len(self._shared)
