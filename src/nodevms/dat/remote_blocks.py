"""What a peer says it has, as far as that can be of any use.

Nothing of it is believed: it only tells what to ask for. Bits are kept for the windows that the
peer was asked about, which lie where our own feed does, so a peer that claims petabytes is a number
and costs nothing.
"""

from __future__ import annotations

from nodevms.dat.limits import Allowance
from nodevms.dat.wire import Have, Unhave, Want, decode_bitmap
from nodevms.errors import RemoteProtocolError

WINDOW_BLOCKS = 1 << 20
"""Blocks of a Want: those that npm's hypercore asks for."""
PAGE_BLOCKS = 8192
_WIDE_HAVES = 1024
_WIDE_HAVES_PER_SECOND = 100.0
"""Few bytes may speak of very many blocks. Honest peers do so when asked or when they grow."""
_FULL = (1 << PAGE_BLOCKS) - 1


class RemoteBlocks:
    """The blocks of one peer.

    Attributes:
        length: One past the last block that it says it has.
        heard: It has said something.
    """

    def __init__(self, now: float = 0.0) -> None:
        """Begin with a peer that has said nothing.

        Args:
            now: Seconds of the clock whose later values :meth:`take` gets.
        """
        self._wide = Allowance(_WIDE_HAVES, _WIDE_HAVES_PER_SECOND, now)
        self.length = 0
        self.heard = False
        self._asked: set[int] = set()
        self._pages: dict[int, int] = {}

    def ask(self, window: int) -> Want | None:
        """Return the Want for a window, numbered from 0, or None if that was sent before."""
        if window in self._asked:
            return None
        self._asked.add(window)
        return Want(window * WINDOW_BLOCKS, WINDOW_BLOCKS)

    def __contains__(self, index: int) -> bool:
        page = self._pages.get(index // PAGE_BLOCKS, 0)
        return bool(page >> (PAGE_BLOCKS - 1 - index % PAGE_BLOCKS) & 1)

    def page(self, number: int) -> int:
        """Return the bits of 8192 blocks as one number, the first the highest."""
        return self._pages.get(number, 0)

    def first(self) -> int | None:
        """Return the first block that is known to be there."""
        if not self._pages:
            return None
        number = min(self._pages)
        return number * PAGE_BLOCKS + PAGE_BLOCKS - self._pages[number].bit_length()

    def take(self, have: Have, now: float = 0.0) -> None:
        """Take what the peer says it has.

        Raises:
            RemoteProtocolError: The bitmap's code is broken, or there is no end of them
                (``dat-haves``).
        """
        self.heard = True
        self._bound(bool(have.bitfield) or have.length > PAGE_BLOCKS, now)
        if not have.bitfield:
            self.length = max(self.length, have.start + have.length)
            self._set(have.start, have.start + have.length, there=True)
            return
        asked_end = (max(self._asked, default=-1) + 1) * WINDOW_BLOCKS
        bitmap = decode_bitmap(have.bitfield, max(0, asked_end - have.start) // 8)
        used = bitmap.rstrip(b"\x00")
        if used:
            last = have.start + 8 * len(used) - ((used[-1] & -used[-1]).bit_length() - 1)
            self.length = max(self.length, last)
        self._replace(have.start, bitmap)

    def lose(self, unhave: Unhave, now: float = 0.0) -> None:
        """Take what the peer says it has no longer; raises as :meth:`take`."""
        self._bound(unhave.length > PAGE_BLOCKS, now)
        self._set(unhave.start, unhave.start + unhave.length, there=False)
        if unhave.start < self.length <= unhave.start + unhave.length:
            self.length = unhave.start

    def drop(self, index: int) -> None:
        """Ask this peer no more for a block."""
        self._set(index, index + 1, there=False)

    def _bound(self, wide: bool, now: float) -> None:
        if wide and not self._wide.spend(now):
            raise RemoteProtocolError("It says without end what it has.", code="dat-haves")

    def _replace(self, start: int, bitmap: bytes) -> None:
        if start % PAGE_BLOCKS:
            return  # never asked for so
        for at in range(0, len(bitmap), PAGE_BLOCKS // 8):
            number = (start + 8 * at) // PAGE_BLOCKS
            part = bitmap[at : at + PAGE_BLOCKS // 8].ljust(PAGE_BLOCKS // 8, b"\x00")
            self._store(number, int.from_bytes(part, "big"))

    def _set(self, start: int, end: int, *, there: bool) -> None:
        for window in sorted(self._asked):
            first = max(start, window * WINDOW_BLOCKS)
            last = min(end, (window + 1) * WINDOW_BLOCKS)
            while first < last:
                number, at = divmod(first, PAGE_BLOCKS)
                stop = min(PAGE_BLOCKS, at + last - first)
                bits = ((1 << (stop - at)) - 1) << (PAGE_BLOCKS - stop)
                page = self._pages.get(number, 0)
                self._store(number, page | bits if there else page & ~bits)
                first += stop - at

    def _store(self, number: int, page: int) -> None:
        if number * PAGE_BLOCKS // WINDOW_BLOCKS not in self._asked:
            return
        if not page:
            self._pages.pop(number, None)
        else:
            self._pages[number] = _FULL if page == _FULL else page
