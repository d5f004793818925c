"""Writing the state's index: one merged layer, one transaction."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from nodevms.archive.cache import Cache
from nodevms.archive.index import FIND_ID
from nodevms.archive.index_file import clear, storage_error
from nodevms.archive.nodecodec import encode_node, encode_ref
from nodevms.archive.paths import ROOT, split_path
from nodevms.archive.pending import Layer
from nodevms.archive.record import HistoryItem

_IDS_MAX = 20_000
_KINDS = {"file": 0, "folder": 1}


class IndexWriter:
    """Writes layers through a connection of its own, so that reads go on meanwhile.

    Used by one thread at a time. After an error the transaction is rolled back and the same layer
    can be written again.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ids: Cache[str, int] = Cache(_IDS_MAX)

    def close(self) -> None:
        """Close the connection and leave no write-ahead log behind.

        SQLite removes it by its name, and fails to when the folder was renamed meanwhile.
        """
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def clear(self) -> None:
        """Empty all tables."""
        clear(self._connection)
        self._ids.clear()

    def write(self, layer: Layer, mark: int) -> None:
        """Write rows, seq, version, root and totals of a layer, and the mark, in one transaction.

        Raises:
            StorageError: Nothing was written.
        """
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            ids = self._write_items(layer.items)
            self._write_nodes(layer)
            connection.execute(
                "UPDATE meta SET seq = ?, version = ?, root = ?, bytes = ?, paths = ?, mark = ?",
                (
                    *(layer.length, layer.version, encode_ref(layer.root)),
                    *(layer.totals.bytes, layer.totals.paths, mark),
                ),
            )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.rollback()
            raise storage_error(error) from error
        for path, path_id in ids.items():
            self._ids.put(path, path_id)

    def _write_items(self, items: list[HistoryItem]) -> dict[str, int]:
        newest = {item.path: item for item in items}
        ids: dict[str, int] = {}
        updates = []
        # In order of paths, a folder comes before what is in it.
        for path, item in sorted(newest.items()):
            live = int(item.record is not None)
            known = self._find(path, ids)
            if known is None:
                ids[path] = self._insert(path, item.version, live, ids)
            else:
                ids[path] = known
                updates.append((item.version, live, known))
        self._connection.executemany("UPDATE path SET latest = ?, live = ? WHERE id = ?", updates)
        self._connection.executemany(
            "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [_change_row(item, ids[item.path]) for item in items],
        )
        return ids

    def _write_nodes(self, layer: Layer) -> None:
        nodes = sorted(layer.nodes.items(), key=lambda item: item[0])
        put = [(key, encode_node(node)) for key, node in nodes if node is not None]
        drop = [(key,) for key, node in nodes if node is None]
        self._connection.executemany("INSERT OR REPLACE INTO node VALUES (?, ?)", put)
        self._connection.executemany("DELETE FROM node WHERE id = ?", drop)

    def _insert(self, path: str, version: int, live: int, ids: dict[str, int]) -> int:
        parent_path, name = split_path(path)
        parent = self._find(parent_path, ids)
        if parent is None:
            raise sqlite3.IntegrityError(f"the parent of a path was never there: {path}")
        cursor = self._connection.execute(
            "INSERT INTO path(parent, name, latest, live) VALUES (?, ?, ?, ?)",
            (parent, name, version, live),
        )
        if cursor.lastrowid is None:
            raise sqlite3.IntegrityError("no id for a new path")
        return cursor.lastrowid

    def _find(self, path: str, ids: dict[str, int]) -> int | None:
        if path == ROOT:
            return 0
        found = ids.get(path) or self._ids.get(path)
        if found is not None:
            return found
        parent, prefix = 0, ""
        for name in path[1:].split("/"):
            prefix = f"{prefix}/{name}"
            found = ids.get(prefix) or self._ids.get(prefix)
            if found is None:
                row = self._connection.execute(FIND_ID, {"parent": parent, "name": name}).fetchone()
                if row is None:
                    return None
                found = ids[prefix] = int(row[0])
            parent = found
        return parent


def _change_row(item: HistoryItem, path_id: int) -> tuple[object, ...]:
    record = item.record
    if record is None:
        return (item.version, path_id, item.seq, 2, 0, None, 0, 0)
    return (
        item.version,
        path_id,
        item.seq,
        _KINDS[record.kind],
        record.size,
        record.sha256 if record.kind == "file" else None,
        record.block,
        record.mtime_ms,
    )
