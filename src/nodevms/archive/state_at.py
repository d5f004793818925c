"""The files as they were at one filesVersion, while the state goes on.

What was changed since is looked up as it was then, and everything else is what the state has now.
So a reader costs what a caller of that time would have cost, and a little for each change since:
it does not meet the names that a folder had before, as `StateReader.children_at` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Final, Protocol

from nodevms.archive.listing import Names, Page, all_pages, full_page, merged_page
from nodevms.archive.paths import split_path
from nodevms.archive.record import Change, HistoryItem, Record, Totals
from nodevms.archive.state_reader import StateReader
from nodevms.errors import LocalProtocolError

_CHANGES_A_LOOK: Final = 100
"""The state stands still while so many changes are looked up, a few milliseconds."""


class CallState(Protocol):
    """The state that a call begins with: `State`, or `StateAt` for one that changes nothing."""

    @property
    def version(self) -> int:
        """The filesVersion."""

    @property
    def totals(self) -> Totals:
        """What all files are together; of no account for a call that changes nothing."""

    def get(self, path: str) -> Record | None:
        """Return what a canonical path has; None for nothing, and for the root."""

    def children(self, folder: str) -> Iterator[tuple[str, Record]]:
        """Yield (name, record) of what is in a folder, in the order of the names' UTF-8 bytes."""

    def first_children(self, folder: str, count: int) -> Page[Record]:
        """Return the first so many children, fewer only at the end."""

    def children_page(self, folder: str, after: str) -> Page[Record]:
        """Return the first PAGE_NAMES children above `after`, fewer only at the end."""

    def history(
        self, path: str | None, *, start: int, end: int, reverse: bool, limit: int
    ) -> list[HistoryItem]:
        """Return changes with start <= version < end."""

    def apply(self, length: int, changes: Sequence[Change], time_ms: int) -> bytes:
        """Make one log entry's changes and return the new root."""


class StateAt:
    """A state at one of its versions, for one thread beside those that use the state.

    Args:
        state: The state, at this version or later.
        version: The filesVersion.
    """

    def __init__(self, state: StateReader, version: int) -> None:
        self.version: Final = version
        self.totals: Final = Totals()
        self._state = state
        self._seen = version
        self._folders: dict[str, Names[Record | None]] = {}

    def get(self, path: str) -> Record | None:
        """Return what a canonical path had; None for nothing, and for the root."""
        parent, name = split_path(path)
        while True:
            with self._state.still():
                if self._look():
                    names = self._folders.get(parent)
                    if names is not None and name in names.entries:
                        return names.entries[name]
                    return self._state.get(path)

    def children(self, folder: str) -> Iterator[tuple[str, Record]]:
        """Yield (name, record) of what was in a folder, in the order of the names' UTF-8 bytes."""
        return all_pages(partial(self._page, folder))

    def first_children(self, folder: str, count: int) -> Page[Record]:
        """Return the first so many children, fewer only at the end."""
        with self._state.still():
            if self._look() and folder not in self._folders:
                return self._state.first_children(folder, count)
        return list(islice(self.children(folder), count))

    def children_page(self, folder: str, after: str) -> Page[Record]:
        """Return the first PAGE_NAMES children above `after`, fewer only at the end."""
        return full_page(partial(self._page, folder), after)

    def history(
        self, path: str | None, *, start: int, end: int, reverse: bool, limit: int
    ) -> list[HistoryItem]:
        """Return changes with start <= version < end, as `StateReader.history` does."""
        stop = min(end, self.version + 1)
        return self._state.history(path, start=start, end=stop, reverse=reverse, limit=limit)

    def apply(self, length: int, changes: Sequence[Change], time_ms: int) -> bytes:
        """Refuse: what was cannot be changed."""
        raise LocalProtocolError("a state of the past takes no changes")

    def _page(self, folder: str, after: str) -> tuple[Page[Record], str | None]:
        while True:
            with self._state.still():
                if self._look():
                    names = self._folders.get(folder)
                    upper = [] if names is None else names.page(after)
                    return merged_page(upper, self._state.children_page(folder, after))

    def _look(self) -> bool:
        """Look up some of what was changed since, while nothing changes; tell if that is all."""
        if self._state.version == self._seen:
            return True
        items = self._state.history(start=self._seen + 1, limit=_CHANGES_A_LOOK)
        for item in items:
            parent, name = split_path(item.path)
            names = self._folders.get(parent)
            if names is None:
                names = self._folders[parent] = Names()
            if name not in names.entries:
                names.put(name, self._state.record_at(item.path, self.version))
            self._seen = item.version
        return len(items) < _CHANGES_A_LOOK
