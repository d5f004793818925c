"""The bitfield file of a feed with holes: which blocks and tree nodes are there.

The layout is that of :mod:`nodevms.feed.bitfield`, and bits set in the order in which a replicating
hypercore 6 sets them leave the same bytes. Pages are read when they are needed; those that were
changed stay in memory until they are written, the others only as long as there is room. So memory
grows with what is not flushed, never with the feed.

Nothing here is synced: see :mod:`nodevms.feed.partial` for what is written when.

Spec: DEP-0002 (SLEEP bitfield); the index follows hypercore 6, checked against its files.
"""

from __future__ import annotations

from collections.abc import Iterator

from nodevms.feed import flat_tree
from nodevms.feed.bitfield import (
    DATA_BYTES,
    INDEX_BYTES,
    PAGE_BLOCKS,
    PAGE_BYTES,
    TREE_BYTES,
    half,
)
from nodevms.feed.sleep import HEADER_BYTES, SleepFile

_PAGES_KEPT_MAX = 64
_NOTHING = bytes(PAGE_BYTES)
_EVERYTHING = b"\xff" * PAGE_BYTES
_INDEX_MASKS = (63, 207, 243, 252)
_INDEX_AT = DATA_BYTES + TREE_BYTES


class HoledBitfield:
    """The pages of one bitfield file, read and changed bit by bit."""

    __slots__ = ("_changed", "_file", "_pages", "_writing", "page_count")

    def __init__(self, file: SleepFile) -> None:
        """Read from this open file; what it lacks is zero."""
        self._file = file
        self._pages: dict[int, bytearray] = {}
        self._changed: set[int] = set()
        self._writing: dict[int, bytes] = {}
        self.page_count = max(0, -(-(file.size() - HEADER_BYTES) // PAGE_BYTES))

    def has_block(self, index: int) -> bool:
        """Tell whether the block is there."""
        page = self._page(index >> 13)
        return bool(page[(index & 8191) >> 3] & 128 >> (index & 7))

    def holds(self, node: int) -> bool:
        """Tell whether the tree node is there."""
        page = self._page(node >> 14)
        return bool(page[DATA_BYTES + ((node & 16383) >> 3)] & 128 >> (node & 7))

    def set_node(self, node: int, there: bool = True) -> None:
        """Set or clear the bit of a tree node."""
        self._put(node >> 14, DATA_BYTES + ((node & 16383) >> 3), node & 7, there)

    def set_block(self, index: int, there: bool = True) -> None:
        """Set or clear the bit of a block, and what the index says of it."""
        at = (index & 8191) >> 3
        if self._put(index >> 13, at, index & 7, there):
            self._mark_index(index >> 3, self._page(index >> 13)[at])

    def have(self, start: int, end: int) -> bytes:
        """Return the data bits of whole bytes from ``start``, a multiple of 8, to ``end``."""
        parts = []
        first, last = start >> 3, -(-end // 8)
        while first < last:
            number, at = divmod(first, DATA_BYTES)
            stop = min(DATA_BYTES, at + last - first)
            parts.append(bytes(self._page(number)[at:stop]))
            first += stop - at
        return b"".join(parts)

    def missing(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the runs of blocks that are not there, as (first, one past the last)."""
        run: int | None = None
        for index, there in self._edges(start, end):
            if not there and run is None:
                run = index
            elif there and run is not None:
                yield run, index
                run = None
        if run is not None:
            yield run, end

    def page(self, number: int) -> bytes:
        """Return the 3584 bytes of one page."""
        return bytes(self._page(number))

    def take_changed(self) -> dict[int, bytes]:
        """Return the pages that were changed since the last call, to be written now.

        Until :meth:`written` is called they are found here and not looked for in the file.
        """
        self._writing = {number: bytes(self._pages[number]) for number in sorted(self._changed)}
        self._changed.clear()
        return self._writing

    def written(self) -> None:
        """Say that the pages taken are in the file."""
        self._writing = {}
        self._make_room()

    def _edges(self, start: int, end: int) -> Iterator[tuple[int, bool]]:
        """Yield (block, is it there) at least where the answer changes, from ``start`` on."""
        index = start
        while index < end:
            number = index // PAGE_BLOCKS
            stop = min(end, (number + 1) * PAGE_BLOCKS)
            page = self._page(number)
            if number >= self.page_count:
                yield index, False
                return
            while index < stop:
                at = (index % PAGE_BLOCKS) >> 3
                byte = page[at]
                if index & 7 == 0 and byte in (0, 255):
                    yield index, byte == 255
                    same = bytes(page[at:DATA_BYTES])
                    index += 8 * (len(same) - len(same.lstrip(same[:1])))
                else:
                    yield index, bool(byte & 128 >> (index & 7))
                    index += 1

    def _page(self, number: int) -> bytes | bytearray:
        page = self._pages.get(number)
        if page is not None:
            return page
        if number >= self.page_count:
            return _NOTHING
        return self._load(number)

    def _load(self, number: int) -> bytearray:
        stored = self._writing.get(number)
        if stored is None:
            stored = self._file.read(HEADER_BYTES + PAGE_BYTES * number, PAGE_BYTES)
        self._make_room()
        page = self._pages[number] = bytearray(stored.ljust(PAGE_BYTES, b"\x00"))
        return page

    def _make_room(self) -> None:
        if len(self._pages) >= _PAGES_KEPT_MAX:
            for number in [number for number in self._pages if number not in self._changed]:
                del self._pages[number]

    def _own(self, number: int) -> bytearray:
        """Return a page to be changed; it is there from now on."""
        page = self._pages.get(number)
        if page is None:
            if number < self.page_count:
                return self._load(number)
            self._make_room()
            page = self._pages[number] = bytearray(PAGE_BYTES)
            self.page_count = number + 1
        return page

    def _put(self, number: int, at: int, bit: int, there: bool) -> bool:
        """Change one bit; tell whether it was another."""
        page = self._own(number)
        byte = page[at] | 128 >> bit if there else page[at] & ~(128 >> bit)
        if byte == page[at]:
            return False
        page[at] = byte
        self._changed.add(number)
        return True

    def _mark_index(self, at: int, byte: int) -> None:
        """Go up the index from the byte of data bits at ``at``, as long as something changes.

        As hypercore does it, a byte on a page that is not there yet stays as it is.
        """
        quarter = at & 3
        place = (at >> 2) * 2
        kind = 192 if byte == 255 else 64 if byte else 0
        byte = self._index(place) & _INDEX_MASKS[quarter] | kind >> 2 * quarter
        while place < self.page_count * INDEX_BYTES and byte != self._index(place):
            number, offset = divmod(place, INDEX_BYTES)
            self._own(number)[_INDEX_AT + offset] = byte
            self._changed.add(number)
            other = self._index(flat_tree.sibling(place))
            left, right = (other, byte) if flat_tree.offset(place) & 1 else (byte, other)
            byte = half(left) << 4 | half(right)
            place = flat_tree.parent(place)

    def _index(self, place: int) -> int:
        number, offset = divmod(place, INDEX_BYTES)
        return self._page(number)[_INDEX_AT + offset]
