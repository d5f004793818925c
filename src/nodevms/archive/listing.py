"""Folders seen through a layer of changes that are not below yet.

Both a call's overlay over the state, and the state's pending changes over its index, answer
"what is in this folder?" by merging a sorted layer of names with a sorted source, page by page.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
PAGE_NAMES = 256

Page = list[tuple[str, T]]


class Names(Generic[T]):
    """Names of one folder with a value each, in a dictionary that can also be read in order.

    The order is made at the first listing and kept from then on, so that a script that lists and
    changes a large folder in turns does not sort it each time.
    """

    __slots__ = ("_order", "entries")

    def __init__(self) -> None:
        self.entries: dict[str, T] = {}
        self._order: list[str] | None = None

    def put(self, name: str, value: T) -> None:
        """Set a name's value."""
        if self._order is not None and name not in self.entries:
            insort(self._order, name)
        self.entries[name] = value

    def drop(self, name: str) -> None:
        """Forget a name."""
        del self.entries[name]
        self._order = None

    def page(self, after: str) -> Page[T]:
        """Return at most PAGE_NAMES names above `after`, in order."""
        if self._order is None:
            self._order = sorted(self.entries)
        start = bisect_right(self._order, after)
        return [(name, self.entries[name]) for name in self._order[start : start + PAGE_NAMES]]


def merged_page(upper: Page[T | None], lower: Page[T]) -> tuple[Page[T], str | None]:
    """Return one page of a folder: a layer's names over those below.

    Args:
        upper: At most PAGE_NAMES names of the layer, in order; a None value hides a name below.
        lower: At most PAGE_NAMES names below, in order, above the same name. A page is shorter
            than PAGE_NAMES only at the end.

    Returns:
        The names in order (maybe none), and the name to go on after; None at the end.
    """
    # Beyond the last name of a full page that side is unknown, so both are cut there.
    ends = [page[-1][0] for page in (upper, lower) if len(page) == PAGE_NAMES]
    end = min(ends) if ends else None
    if not upper:
        return lower, end
    names: dict[str, T | None] = dict(lower)
    names.update(upper)
    merged = [
        (name, value)
        for name, value in sorted(names.items(), key=lambda item: item[0])
        if value is not None and (end is None or name <= end)
    ]
    return merged, end


def all_pages(page_after: Callable[[str], tuple[Page[T], str | None]]) -> Iterator[tuple[str, T]]:
    """Yield all names of a folder in order; a page is read when it is needed.

    Args:
        page_after: What `merged_page` returns for the names above one.
    """
    after: str | None = ""
    while after is not None:
        page, after = page_after(after)
        yield from page


def full_page(page_after: Callable[[str], tuple[Page[T], str | None]], after: str) -> Page[T]:
    """Return the first PAGE_NAMES names above `after`, fewer only at the end."""
    page: Page[T] = []
    more: str | None = after
    while more is not None and len(page) < PAGE_NAMES:
        names, more = page_after(more)
        page += names
    return page[:PAGE_NAMES]
