"""The download of one feed from any number of peers. Sans-I/O: messages in, messages out.

What a peer says it has tells what to ask for and nothing else. A longer head is taken only from the
full proof of the block that comes next, which holds all roots that we have; a peer that has no more
than we is asked once for its last block's full proof, so that a fork is seen there too. Blocks are
asked for with a digest of what we hold, several at a time, from every peer at its own pace.

What comes is put at once and flushed by the caller, best on another thread: ``feed.flush()``, as
often as he likes. Only so many unflushed bytes are allowed; then nothing more is asked for until he
did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodevms.dat.download_peer import PeerDownload
from nodevms.dat.wanted import EVER, Wanted

if TYPE_CHECKING:
    from nodevms.dat.wire import Message
    from nodevms.feed import PartialFeed


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """Bounds of a download.

    Attributes:
        requests_begin: Blocks that a new peer is asked for at a time.
        requests_max: Blocks that any peer is asked for at a time.
        flight_bytes_max: Bytes that one peer is asked for at a time, as far as can be told.
        unflushed_bytes_max: With so many bytes not flushed, nothing more is asked for.
        request_seconds: After this long without an answer others are asked.
        stall_seconds: After this long without any answer a peer is at fault.
        late_max: Answers that a peer may still send after we gave up on them.
    """

    requests_begin: int = 16
    requests_max: int = 256
    flight_bytes_max: int = 4 * 1024 * 1024
    unflushed_bytes_max: int = 64 * 1024 * 1024
    request_seconds: float = 10.0
    stall_seconds: float = 30.0
    late_max: int = 4096


@dataclass(slots=True)
class Progress:
    """How much came, in this download.

    Attributes:
        blocks: Blocks that were stored.
        bytes: Bytes of these blocks.
    """

    blocks: int = 0
    bytes: int = 0


class Downloader:
    """Downloads a feed, or ranges of it, into a :class:`nodevms.feed.PartialFeed`.

    All methods are called on one thread; the feed may be flushed and read on any other.

    Attributes:
        feed: Where it goes.
        progress: How much came.
    """

    def __init__(
        self,
        feed: PartialFeed,
        *,
        clock: Callable[[], float],
        ranges: Iterable[tuple[int, int]] | None = None,
        live: bool = False,
        limits: DownloadLimits | None = None,
        on_block: Callable[[int], None] | None = None,
        on_head: Callable[[], None] | None = None,
    ) -> None:
        """Begin with no peers.

        Args:
            feed: Where it goes. It may hold something already.
            clock: Returns seconds; never goes back.
            ranges: What is wanted, as (first, one past the last); by default everything there is
                and will be.
            live: Go on for ever: new blocks are waited for.
            limits: What it may cost.
            on_block: Called with the number of every block that was stored.
            on_head: Called when the feed's length grew.
        """
        self.feed = feed
        self.progress = Progress()
        self.clock = clock
        self.limits = limits or DownloadLimits()
        self.wanted = Wanted(feed)
        self.asked: dict[int, PeerDownload] = {}
        """Blocks that are on their way, and from whom."""
        self.extending: dict[PeerDownload, float] = {}
        """Peers that are asked for a longer head, and since when."""
        self.settled = False
        """Whether the feed stays as long as it is."""
        self._live = live
        self._peers: list[PeerDownload] = []
        self._on_block = on_block
        self._on_head = on_head
        self._heard = False
        for start, end in [(0, EVER)] if ranges is None else ranges:
            self.wanted.add(start, end)

    @property
    def heard(self) -> bool:
        """Whether some peer said what it has, and nobody can show a longer head than ours."""
        return self._heard and not any(peer.can_extend for peer in self._peers)

    @property
    def comparing(self) -> bool:
        """Whether a peer was asked for its head and has not answered."""
        return any(peer.comparing for peer in self._peers)

    def settle(self) -> None:
        """Let the feed stay as long as it is now: heads of others are compared, and not taken."""
        self.settled = True
        self.unwant(self.feed.length)

    @property
    def done(self) -> bool:
        """Whether everything wanted is here, so that nothing more will be asked for."""
        return not self._live and self.heard and not self.extending and self.complete

    @property
    def complete(self) -> bool:
        """Whether all wanted blocks below the feed's length are here."""
        return next(self.wanted.missing(), None) is None

    def want(self, start: int, end: int = EVER) -> None:
        """Want more blocks, after those wanted before."""
        self.wanted.add(start, end)
        self.ask()

    def unwant(self, start: int, end: int = EVER) -> None:
        """Want these blocks no longer; what is on its way is cancelled."""
        self.wanted.remove(start, end)
        for index in [index for index in self.asked if start <= index < end]:
            if index not in self.wanted:
                self.asked[index].cancel(index)

    def join(self, send: Callable[[Message], None]) -> PeerDownload:
        """Begin with a peer.

        Args:
            send: Takes what is to be said to it.
        """
        peer = PeerDownload(self, send)
        self._peers.append(peer)
        peer.begin()
        return peer

    def leave(self, peer: PeerDownload) -> None:
        """Forget a peer; others are asked for what it was asked for."""
        if peer in self._peers:
            self._peers.remove(peer)
            self.ask()

    def ask(self) -> None:
        """Have every peer asked for as much as it may be, those who answer first."""
        for peer in sorted(self._peers, key=lambda peer: (peer.faults, not peer.useful)):
            peer.ask()

    def heard_of(self, length: int) -> None:
        """Note that a peer says it has so many blocks."""
        self._heard = self._heard or length <= self.feed.length

    def stored(self, index: int, size: int) -> None:
        """Note that a block was stored, and cancel it where else it was asked for.

        Raises:
            ForkError: It was the last one, and now a peer's head is seen to contradict ours.
        """
        self.progress.blocks += 1
        self.progress.bytes += size
        other = self.asked.get(index)
        if other is not None:
            other.cancel(index)
        if self._on_block is not None:
            self._on_block(index)
        if not self.asked and self.complete:
            for peer in self._peers:
                peer.head.again()

    def extended(self) -> None:
        """Note that the feed's length grew."""
        self.wanted.changes += 1
        if self._on_head is not None:
            self._on_head()
        self.ask()
