"""Reading the state: pending changes first, then the caches, then the index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from threading import RLock

from nodevms.archive.cache import Cache
from nodevms.archive.errors import UnknownVersionError
from nodevms.archive.index import Index, Meta
from nodevms.archive.index_file import damaged
from nodevms.archive.listing import PAGE_NAMES, Page, all_pages, full_page, merged_page
from nodevms.archive.paths import join_path
from nodevms.archive.pending import Layer, LayerNodes, Pending
from nodevms.archive.proof import StateProof
from nodevms.archive.record import NUMBER_MAX, HistoryItem, Record, Totals, path_key
from nodevms.archive.tree import Branch, Node, bit_of, find, root_hash

_MISSING = object()
_PAGES_LOOKED_AT_MAX = 64


class StateReader:
    """All that can be asked of a state; `nodevms.archive.state.State` is one that changes."""

    def __init__(self, index: Index, cache_max: int) -> None:
        self._index = index
        self._lock = RLock()
        self._nodes: Cache[bytes, Node] = Cache(cache_max)
        self._records: Cache[str, object] = Cache(cache_max)
        self._pending = Pending()
        self._flushed = index.meta()
        self._length = self._flushed.seq
        self._mark = self._flushed.mark

    @property
    def version(self) -> int:
        """The filesVersion: how many changes were ever made."""
        with self._lock:
            return self._top().version

    @property
    def root(self) -> bytes:
        """The 32-byte state root."""
        with self._lock:
            return root_hash(self._top().root)

    @property
    def totals(self) -> Totals:
        """What all files are together."""
        with self._lock:
            return self._top().totals

    @property
    def seq(self) -> int:
        """The length of the log that the state reflects."""
        with self._lock:
            return self._length

    @property
    def mark(self) -> int:
        """The position in the log that was last given to `State.set_mark`, 0 if none was."""
        return self._mark

    def still(self) -> AbstractContextManager[object]:
        """Hold changes back: what one thread reads meanwhile belongs together."""
        return self._lock

    def get(self, path: str) -> Record | None:
        """Return what a canonical path has; None for nothing, and for the root."""
        with self._lock:
            waiting = self._pending.waiting(path)
            if waiting is not None:
                return waiting.record
            cached = self._records.get(path)
            if cached is None:
                record = self._index.record(path)
                self._remember(path, record)
                return record
            return cached if isinstance(cached, Record) else None

    def children(self, folder: str) -> Iterator[tuple[str, Record]]:
        """Yield (name, record) of what is in a folder, in the order of the names' UTF-8 bytes.

        A folder that is not there has nothing in it. Pages are read as they are needed: a reader
        beside the thread that applies, who must not see two versions, wants `children_at`.
        """
        return all_pages(partial(self._page, folder))

    def children_page(self, folder: str, after: str) -> Page[Record]:
        """Return the first PAGE_NAMES children above `after`, fewer only at the end."""
        return full_page(partial(self._page, folder), after)

    def first_children(self, folder: str, count: int) -> Page[Record]:
        """Return the first so many children, fewer only at the end; for few, faster than a page."""
        with self._lock:
            if count < PAGE_NAMES and folder not in self._pending.folders:
                return self._index.children(folder, "", limit=count)
        return list(islice(self.children(folder), count))

    def _page(self, folder: str, after: str) -> tuple[Page[Record], str | None]:
        with self._lock:
            upper = self._pending.page(folder, after)
            return merged_page(upper, self._index.children(folder, after))

    def record_at(self, path: str, version: int) -> Record | None:
        """Return what a canonical path had at a filesVersion; None for nothing.

        Raises:
            UnknownVersionError: No such version yet.
        """
        with self._lock:
            self._check_version(version)
            waiting = self._pending.record_at(path, version)
            if waiting is not None:
                return waiting.record
            return self._index.record_at(path, version)

    def children_at(self, folder: str, version: int) -> Iterator[tuple[str, Record]]:
        """Yield (name, record) of what was in a folder at a filesVersion, in UTF-8 order.

        Costs time for each name that the folder ever had.

        Raises:
            UnknownVersionError: No such version yet.
        """
        return all_pages(partial(self.children_at_page, folder, version))

    def children_at_page(
        self, folder: str, version: int, after: str
    ) -> tuple[Page[Record], str | None]:
        """Return some of what was in a folder at a filesVersion, in UTF-8 order.

        Looks at no more than 2 * PAGE_NAMES names that the folder has or ever had, so it may find
        nothing and still not be at the end.

        Args:
            folder: Canonical path.
            version: The filesVersion.
            after: The name to go on after; the empty string to begin.

        Returns:
            (name, record) each, and the name to go on after; None at the end.

        Raises:
            UnknownVersionError: No such version yet.
        """
        with self._lock:
            self._check_version(version)
            page = self._index.children_at(folder, version, after)
            lower = [(name, (record,)) for name, record in page]
            below = dict(lower)
            upper: list[tuple[str, tuple[Record | None] | None]] = []
            for name, _ in self._pending.page(folder, after):
                waiting = self._pending.record_at(join_path(folder, name), version)
                found = below.get(name) if waiting is None else (waiting.record,)
                upper.append((name, found))
            merged, end = merged_page(upper, lower)
        return [(name, record) for name, (record,) in merged if record is not None], end

    def children_up_to(
        self, folder: str, version: int, after: str, limit: int
    ) -> tuple[Page[Record], str | None]:
        """Return at most `limit` of what was in a folder at a filesVersion, in UTF-8 order.

        Fewer at the end, or where so many names above `after` are gone that it stops looking.

        Args:
            folder: Canonical path.
            version: The filesVersion.
            after: The name to go on after; the empty string to begin.
            limit: At least 1.

        Returns:
            (name, record) each, and the name to go on after; None at the end.

        Raises:
            UnknownVersionError: No such version yet.
        """
        found: Page[Record] = []
        more: str | None = after
        for _ in range(_PAGES_LOOKED_AT_MAX + limit // PAGE_NAMES):
            if more is None or len(found) > limit:
                break
            page, more = self.children_at_page(folder, version, more)
            found += page
        if len(found) <= limit:
            return found, more
        return found[:limit], found[limit - 1][0]

    def history(
        self,
        path: str | None = None,
        *,
        start: int = 0,
        end: int | None = None,
        reverse: bool = False,
        limit: int = 1_000,
    ) -> list[HistoryItem]:
        """Return changes with start <= version < end, the newest first if `reverse`.

        Args:
            path: Canonical path, for the changes of that path alone.
            start: The first version wanted.
            end: The version to stop before; None for no end.
            reverse: Newest first; the range stays the same.
            limit: How many at most, counted from where the answer starts.
        """
        stop = NUMBER_MAX if end is None else end
        with self._lock:
            flushed = self._flushed.version
            recent: list[HistoryItem] = []
            if reverse:
                recent = self._pending.history(path, start, stop, reverse=True, limit=limit)
            wanted = limit - len(recent)
            rows = self._index.history(
                path, start, min(stop, flushed + 1), reverse=reverse, limit=wanted
            )
            older = [HistoryItem(*row) for row in rows]
            if reverse:
                return recent + older
            wanted = limit - len(older)
            return older + self._pending.history(path, start, stop, reverse=False, limit=wanted)

    def version_at(self, length: int) -> int:
        """Return the filesVersion after the first `length` log entries."""
        with self._lock:
            for layer in reversed(self._pending.layers):
                if layer.length <= length:
                    return layer.version
            low, high = 0, self._flushed.version
            while low < high:
                middle = (low + high + 1) // 2
                if self._index.seq_of(middle) < length:
                    low = middle
                else:
                    high = middle - 1
            return low

    def prove(self, path: str) -> StateProof:
        """Return the proof of what a path has, or that it has nothing; see `prove_with_root`."""
        return self.prove_with_root(path)[1]

    def prove_with_root(self, path: str) -> tuple[bytes, StateProof]:
        """Return the root, and the proof of what a canonical path has under it."""
        key = path_key(path)
        with self._lock:
            root = self._top().root
            steps, leaf = find(LayerNodes(self._load_node), root, key)
            record = self.get(path)
        siblings = tuple(
            (node.bit, (node.left if bit_of(key, node.bit) else node.right).hash)
            for _, node in steps
        )
        here = leaf is not None and leaf.key == key
        if here != (record is not None):
            raise damaged("the tree and the records disagree")
        if record is not None:
            return root_hash(root), StateProof(siblings, record.value, None)
        other = None if leaf is None else (leaf.key, leaf.value_hash)
        return root_hash(root), StateProof(siblings, None, other)

    def _remember(self, path: str, record: Record | None) -> None:
        self._records.put(path, _MISSING if record is None else record)

    def _load_node(self, ref: Branch) -> Node:
        node = self._pending.node(ref.id) or self._nodes.get(ref.id)
        if node is None:
            node = self._index.node(ref)
            self._nodes.put(ref.id, node)
        return node

    def _top(self) -> Layer | Meta:
        return self._pending.layers[-1] if self._pending.layers else self._flushed

    def _check_version(self, version: int) -> None:
        if not 0 <= version <= self.version:
            raise UnknownVersionError(f"there is no version {version} of the files yet")
