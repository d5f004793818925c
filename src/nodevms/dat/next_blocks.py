"""Which block a peer is asked for next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from nodevms.dat.remote_blocks import PAGE_BLOCKS, WINDOW_BLOCKS, RemoteBlocks
from nodevms.dat.wanted import Wanted


class NextBlocks:
    """Finds wanted blocks that one peer says it has, a page at a time, in the order of wanting."""

    def __init__(
        self,
        wanted: Wanted,
        remote: RemoteBlocks,
        takes: Callable[[int], bool],
        ask_window: Callable[[int], None],
    ) -> None:
        """Begin at the first wanted block.

        Args:
            wanted: What is wanted.
            remote: What the peer says it has.
            takes: Tells whether a block is still wanted, missing, and asked of nobody.
            ask_window: Asks the peer what it has of a window of blocks, if that was not asked yet.
        """
        self._wanted = wanted
        self._remote = remote
        self._takes = takes
        self._ask_window = ask_window
        self._found: deque[int] = deque()
        self._search: Iterator[int] | None = None
        self._searched = -1

    def look_again(self) -> None:
        """Note that the peer may have more than it had."""
        self._searched = -1

    def block(self) -> int | None:
        """Return the next block, or None until something changes."""
        while True:
            while self._found:
                index = self._found.popleft()
                if index in self._remote and self._takes(index):
                    return index
            if self._search is None:
                if self._searched == self._wanted.changes:
                    return None
                self._searched = self._wanted.changes
                self._search = self._pages()
            if next(self._search, None) is None:
                self._search = None

    def _pages(self) -> Iterator[int]:
        """Go through the missing runs, and note those of their blocks that the peer has.

        Yields:
            The number of each page that has any.
        """
        for start, end in self._wanted.missing():
            for number in range(start // PAGE_BLOCKS, (end - 1) // PAGE_BLOCKS + 1):
                self._ask_window(number * PAGE_BLOCKS // WINDOW_BLOCKS)
                first = number * PAGE_BLOCKS
                bits = self._remote.page(number)
                if bits:
                    low, high = max(start - first, 0), min(end - first, PAGE_BLOCKS)
                    self._found.extend(_ones(bits, first, low, high))
                    yield number


def _ones(bits: int, first: int, low: int, high: int) -> list[int]:
    """Return the blocks whose bits are set between two places of the page of ``first``."""
    stored = bits.to_bytes(PAGE_BLOCKS // 8, "big")
    return [
        first + place
        for at in range(low >> 3, (high + 7) >> 3)
        if stored[at]
        for place in range(max(low, 8 * at), min(high, 8 * at + 8))
        if stored[at] & 128 >> (place & 7)
    ]
