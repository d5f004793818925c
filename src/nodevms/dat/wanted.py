"""Which blocks of a feed are wanted, in the order in which they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodevms.feed import PartialFeed

EVER = 2**53
"""The end of a range that goes as far as the feed ever will."""


class Wanted:
    """Ranges of blocks, those wanted first in front.

    Attributes:
        changes: Grows whenever there may be more to ask for than before.
    """

    def __init__(self, feed: PartialFeed) -> None:
        """Begin with nothing."""
        self._feed = feed
        self._ranges: list[tuple[int, int]] = []
        self.changes = 0

    def add(self, start: int, end: int) -> None:
        """Want blocks, after all that is wanted already."""
        if start < end:
            self._ranges.append((start, end))
            self.changes += 1

    def remove(self, start: int, end: int) -> None:
        """Want these blocks no longer."""
        left = []
        for first, last in self._ranges:
            left += [(first, min(last, start)), (max(first, end), last)]
        self._ranges = [(first, last) for first, last in left if first < last]

    def __contains__(self, index: int) -> bool:
        return any(first <= index < last for first, last in self._ranges)

    def missing(self) -> Iterator[tuple[int, int]]:
        """Yield the runs of wanted blocks, as far as the feed goes, that are not there.

        What is there at the beginning of a range is forgotten, so that it is never looked at again.
        """
        length = self._feed.length
        for number, (first, last) in enumerate(tuple(self._ranges)):
            begun = False
            for run in self._feed.missing(first, min(last, length)):
                if not begun:
                    begun = True
                    self._shorten(number, (first, last), run[0])
                yield run
            if not begun:
                self._shorten(number, (first, last), max(first, min(last, length)))
        self._ranges = [(first, last) for first, last in self._ranges if first < last]

    def _shorten(self, number: int, known: tuple[int, int], start: int) -> None:
        """Let a range begin later, if it is still the same."""
        if number < len(self._ranges) and self._ranges[number] == known:
            self._ranges[number] = (start, known[1])
