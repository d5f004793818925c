"""The files as they are after a log entry, as they were after any earlier one, and their root.

The state is a function of the log: each entry's changes are applied in order, and the root after
them stands in the entry. Three layers hold it. *Pending* changes of entries that are not synced
yet, in memory; a bounded *cache* of what is in the index; and the *index* in SQLite, which is
derived data. A read asks them in that order, so it always sees the newest change.

Threads: every method may be called from any thread. One lock covers pending changes, caches and
the reading connection; no read holds it for longer than one page of a folder. `flush` writes
through a second connection outside that lock, so the engine runs on while the index is written.
`apply` is meant for one thread at a time, and so are `flush`, `discard_pending` and `reset`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Self

from nodevms.archive.changes import check_changes
from nodevms.archive.index import Index, Meta
from nodevms.archive.index_file import open_connection
from nodevms.archive.index_writer import IndexWriter
from nodevms.archive.pending import Layer, LayerNodes, Pending, merge_layers
from nodevms.archive.record import NUMBER_MAX, Change, HistoryItem, encode_value, path_key
from nodevms.archive.state_reader import StateReader
from nodevms.archive.tree import insert, remove, root_hash
from nodevms.errors import LocalProtocolError

# Without changes only the log's length moves; that is worth a write now and then, not each time.
_IDLE_ENTRIES_MAX = 1_000


class State(StateReader):
    """The state of one backend's files; a context manager that closes it.

    Memory is bounded by the caches, plus what is applied and not flushed.
    """

    def __init__(self, index: Index, writer: IndexWriter, *, shared: bool, cache_max: int) -> None:
        """Use `State.open`."""
        super().__init__(index, cache_max)
        self._writer = writer
        self._flush_lock = Lock()
        # One connection for both (a temporary index) must not be used by two threads at once.
        self._write_guard = self._lock if shared else nullcontext()

    @classmethod
    def open(cls, path: Path | None, *, cache_max: int = 50_000) -> Self:
        """Open the state with its index, which is made if it is not there.

        The caller compares `seq` and `root` with the log, and applies what is missing or, if they
        disagree, resets and applies everything.

        Args:
            path: The index's file; None for a temporary one that goes with the object.
            cache_max: Entries in each of two caches, tree nodes (about 500 bytes each) and records.

        Raises:
            StorageError: Code `state-index-damaged` if the index must be removed (see
                `remove_index`) and made again.
        """
        connection = open_connection(path)
        try:
            index = Index(connection)
            shared = path is None
            writer = IndexWriter(connection if shared else open_connection(path))
            return cls(index, writer, shared=shared, cache_max=cache_max)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the index; what was not flushed is gone from it."""
        with self._flush_lock, self._lock:
            self._writer.close()
            self._index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def apply(self, length: int, changes: Sequence[Change], time_ms: int) -> bytes:
        """Make one log entry's changes and return the new root; nothing is written yet.

        Args:
            length: The log's length with the entry, so one more than the entry's seq, and above
                `self.seq`. Entries without changes may be left out.
            changes: Sorted by path.
            time_ms: The entry's time, the mtime of what is put.

        Raises:
            InvalidChangesError: The changes do not follow from the state, which stays as it was.
            LocalProtocolError: The entry is in the state already.
        """
        with self._lock:
            if length <= self._length:
                raise LocalProtocolError(f"entry {length - 1} is in the state already")
            if not 0 <= time_ms <= NUMBER_MAX:
                raise LocalProtocolError("an entry's time is out of range")
            top = self._top()
            if not changes:
                self._length = length
                return root_hash(top.root)
            check_changes(self, changes)
            layer = self._make_layer(top, length, changes, time_ms)
            self._pending.push(layer)
            self._length = layer.length
            return root_hash(layer.root)

    def set_mark(self, position: int) -> None:
        """Keep a position in the log that its owner wants to find again without reading it.

        Written with the next flush, in the transaction that says how long the log was.
        """
        self._mark = position

    def flush(self, length: int, *, force: bool = False) -> None:
        """Write all changes of entries below this log length into the index, in one transaction.

        Called when the log is synced up to there; the caller vouches that all entries below were
        applied or had no changes.

        Args:
            length: Log length.
            force: Record the length even if nothing else is to be written.

        Raises:
            StorageError: Nothing was written; the changes still wait.
        """
        with self._flush_lock:
            with self._lock:
                layers = [layer for layer in self._pending.layers if layer.length <= length]
                flushed = self._flushed
            idle = length - flushed.seq
            mark = self._mark
            idle_max = 1 if force or mark != flushed.mark else _IDLE_ENTRIES_MAX
            if not layers and idle < idle_max:
                return
            if layers:
                merged = merge_layers(layers)
            else:
                merged = Layer(length, flushed.version, flushed.root, flushed.totals)
            merged.length = length
            with self._write_guard:
                self._writer.write(merged, mark)
            with self._lock:
                self._settle(merged, mark)

    def discard_pending(self) -> None:
        """Forget what was applied and not flushed: the state is the index's again."""
        with self._flush_lock, self._lock:
            self._pending = Pending()
            self._length = self._flushed.seq
            self._mark = self._flushed.mark

    def reset(self) -> None:
        """Empty the state and its index: an empty log's.

        Raises:
            StorageError: The index could not be written.
        """
        with self._flush_lock, self._lock:
            self._writer.clear()
            self._pending = Pending()
            self._nodes.clear()
            self._records.clear()
            self._index.forget()
            self._flushed = self._index.meta()
            self._length = self._mark = 0

    def _make_layer(
        self, top: Layer | Meta, length: int, changes: Sequence[Change], time_ms: int
    ) -> Layer:
        writes = LayerNodes(self._load_node)
        root, version, totals = top.root, top.version, top.totals
        items = []
        for change in changes:
            version += 1
            key = path_key(change.path)
            record = change.record(time_ms)
            totals = totals.after(self.get(change.path), record)
            if record is None:
                root = remove(writes, root, key)
            else:
                value = encode_value(record.kind, record.size, record.sha256, time_ms)
                root = insert(writes, root, key, sha256(value).digest())
            items.append(HistoryItem(version, length - 1, change.path, record))
        return Layer(length, version, root, totals, writes.nodes, items)

    def _settle(self, merged: Layer, mark: int) -> None:
        self._pending.forget(merged)
        self._flushed = Meta(merged.length, merged.version, merged.root, merged.totals, mark)
        self._length = max(self._length, merged.length)
        # Even where a newer value waits: if that is discarded, the cache must have this one.
        for node_id, node in merged.nodes.items():
            if node is None:
                self._nodes.pop(node_id)
            else:
                self._nodes.put(node_id, node)
        for item in merged.items:
            self._remember(item.path, item.record)
