"""One feed's answers to one peer. Messages in, messages out; no clock and no socket of its own.

What the peer asks for waits in a short queue until there is room for the answer: a peer that does
not read gets nothing more read from disk for it, and one that asks for more than the queue holds
has broken the rules. Equal requests that wait together are answered once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from nodevms.dat.limits import Allowance, Limits
from nodevms.dat.wire import (
    INDEX_MAX,
    Cancel,
    Data,
    Have,
    Message,
    Request,
    Unhave,
    Unwant,
    Want,
    encode_bitmap,
)
from nodevms.errors import LocalProtocolError, RemoteProtocolError
from nodevms.feed import Node
from nodevms.feed.merkle import leaf_hash

if TYPE_CHECKING:
    from nodevms.dat.shared_feed import SharedFeed

_PAGE_BLOCKS = 8192
"""Bitmaps begin at multiples of this: npm's hypercore looks at no others."""
_RUN_BLOCKS_MAX = 1 << 16
"""A longer run of new blocks is told as a bitmap: npm's hypercore sets bit by bit."""
_NPM_WANT_BLOCKS = 1 << 20
"""npm's hypercore takes a Have of this length for the answer to a Want."""


class Uploader:
    """Answers Want, Unwant, Request and Cancel of one peer, and tells it what is new."""

    def __init__(
        self, feed: SharedFeed, send: Callable[[Message], None], *, limits: Limits, now: float
    ) -> None:
        """Begin with a peer that wants nothing.

        Args:
            feed: What to read from.
            send: Takes the answers.
            limits: How much a peer may ask for.
            now: Seconds of the clock whose later values :meth:`receive` gets.
        """
        self._feed = feed
        self._send = send
        self._limits = limits
        self._waiting: OrderedDict[tuple[type, int, int, bool], Want | Request] = OrderedDict()
        self._wants = Allowance(limits.wants_burst, limits.wants_per_second, now)
        self._nonsense = Allowance(limits.nonsense_burst, limits.nonsense_per_second, now)
        self._now = now
        self._wanted = False
        self._told_length = 0
        self._told = b""
        self._grown = False
        self.sent_blocks = 0
        """Blocks sent so far."""
        self.sent_bytes = 0
        """Bytes of these blocks."""

    @property
    def waiting(self) -> int:
        """How many answers are due."""
        return len(self._waiting)

    def receive(self, message: Want | Unwant | Request | Cancel, now: float) -> None:
        """Take what the peer asks for; :meth:`pump` answers.

        Raises:
            RemoteProtocolError: It asks for too much at once (``dat-requests``, ``dat-wants``).
        """
        self._now = now
        if isinstance(message, Request):
            self._add((Request, message.index, message.bytes, message.hash), message)
        elif isinstance(message, Want):
            if not self._wants.spend(now):
                raise RemoteProtocolError("It sends Wants without end.", code="dat-wants")
            self._add((Want, message.start, message.length, False), message)
        elif isinstance(message, Cancel):
            self._waiting.pop((Request, message.index, message.bytes, message.hash), None)
        elif not message.length:
            self._wanted = False

    def pump(self, room: Callable[[], bool]) -> None:
        """Answer as long as there is room.

        Raises:
            RemoteProtocolError: Too much was asked for that is not here (``dat-nonsense``).
            StorageError: A block cannot be read.
        """
        if self._grown and room():
            self._grown = False
            self._tell_growth()
        while self._waiting and room():
            _, asked = self._waiting.popitem(last=False)
            if isinstance(asked, Want):
                self._tell(asked)
            else:
                self._answer(asked)

    def grew(self) -> None:
        """Have the next :meth:`pump` tell the peer what is new, if it ever wanted to know."""
        self._grown = self._wanted

    def _tell_growth(self) -> None:
        old, length = self._told_length, self._feed.head().length
        before, now = self._told, self._bitmap(0, min(length, self._limits.bitmap_blocks))
        self._told_length, self._told = length, now
        full = (old < length) and self._is_run(old, length)
        if full and now.startswith(before[: old // 8]):
            self._send(Have(old, length - old))
        elif before != now:
            first = _first_difference(before, now) * 8 // _PAGE_BLOCKS * _PAGE_BLOCKS
            part = now[first // 8 :]
            blocks = len(part) * 8
            blocks += blocks == _NPM_WANT_BLOCKS
            self._send(Have(first, blocks, encode_bitmap(part)))

    def _is_run(self, start: int, end: int) -> bool:
        """Whether all of some new blocks are here, and they are few enough to be told as a run."""
        if end - start > _RUN_BLOCKS_MAX:
            return False
        bitmap = self._feed.have_bitmap(start, end)
        return int.from_bytes(bitmap, "big").bit_count() == end - start

    def _add(self, key: tuple[type, int, int, bool], asked: Want | Request) -> None:
        self._waiting[key] = asked
        if len(self._waiting) > self._limits.requests_max:
            raise RemoteProtocolError(
                f"More than {self._limits.requests_max} requests wait for their answers.",
                code="dat-requests",
            )

    def _tell(self, want: Want) -> None:
        length = self._feed.head().length
        if not self._wanted:
            self._wanted = True
            self._told_length = length
            self._told = self._bitmap(0, min(length, self._limits.bitmap_blocks))
            if length and self._feed.has(length - 1):
                self._send(Have(length - 1))
        end = min(want.start + want.length if want.length else INDEX_MAX, INDEX_MAX)
        start = want.start - want.start % 8  # where a byte of the bitmap begins
        stop = min(end, length, start + self._limits.bitmap_blocks)
        bitmap = self._bitmap(start, stop)
        more = stop < min(end, length)
        told = stop - start if more or not want.length else end - start
        self._send(Have(start, max(told, 0), encode_bitmap(bitmap) or b"\x00"))
        if more:
            left = end - stop if want.length else 0
            self._add((Want, stop, left, False), Want(stop, left))

    def _bitmap(self, start: int, end: int) -> bytes:
        """Return a bitmap of whole words of 32 bits, as npm's hypercore wants it."""
        bitmap = self._feed.have_bitmap(start, end) if end > start else b""
        return bitmap.ljust(-(-len(bitmap) // 4) * 4, b"\x00")

    def _answer(self, request: Request) -> None:
        index, digest = request.index, request.nodes
        if request.bytes:
            found = self._feed.seek(request.bytes)
            if found is not None:
                index, digest = found, 0
        if not self._feed.has(index):
            self._refuse(request.index)
            return
        try:
            value = self._feed.get(index)
            proof = self._feed.proof(index, digest)
            nodes = proof.nodes
            if request.hash:
                nodes = (Node(2 * index, leaf_hash(value), len(value)), *nodes)
            self._send(Data(index, None if request.hash else value, nodes, proof.signature))
        except LocalProtocolError:  # gone meanwhile, or longer than the wire can carry
            self._refuse(request.index)
            return
        self.sent_blocks += 1
        self.sent_bytes += 0 if request.hash else len(value)

    def _refuse(self, index: int) -> None:
        if not self._nonsense.spend(self._now):
            raise RemoteProtocolError("It asks for what is not here.", code="dat-nonsense")
        self._send(Unhave(index))


def _first_difference(before: bytes, now: bytes) -> int:
    """Return the place of the first byte in which two bitmaps differ."""
    low, high = 0, min(len(before), len(now))
    while low < high:
        middle = (low + high + 1) // 2
        if before[:middle] == now[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
