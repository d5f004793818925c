"""Reading the state's index; `nodevms.archive.index_file` says what is in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nodevms.archive.cache import Cache
from nodevms.archive.index_file import damaged, storage_error
from nodevms.archive.listing import PAGE_NAMES, Page
from nodevms.archive.nodecodec import decode_node, decode_ref
from nodevms.archive.paths import ROOT, join_path, split_path
from nodevms.archive.record import ZERO_HASH, Record, Totals, block_count
from nodevms.archive.tree import Branch, Node, Ref, inner_hash

_IDS_MAX = 20_000
FIND_ID = (
    "SELECT id FROM path WHERE parent = :parent AND name = :name AND live = 1 "
    "UNION ALL SELECT id FROM path WHERE parent = :parent AND name = :name AND live = 0"
)
_FIELDS = "c.kind, c.size, c.sha256, c.mtime, c.block"


@dataclass(frozen=True, slots=True)
class Meta:
    """Where the index stands: log length, filesVersion, tree, totals, and the owner's mark."""

    seq: int
    version: int
    root: Ref | None
    totals: Totals
    mark: int = 0


ChangeRow = tuple[int, int, str, Record | None]


class Index:
    """Reads of the index; `nodevms.archive.index_writer` writes it.

    One connection, used by one thread at a time (the state's lock sees to that).
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ids: Cache[str, int] = Cache(_IDS_MAX)
        self._paths: Cache[int, str] = Cache(_IDS_MAX)

    def rows(
        self, sql: str, arguments: Sequence[object] | Mapping[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """Run a query and return all of its rows.

        Raises:
            StorageError: Code `state-index-damaged` if the file is at fault.
        """
        try:
            return self._connection.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise storage_error(error) from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def forget(self) -> None:
        """Drop the caches, after somebody else emptied the tables."""
        self._ids.clear()
        self._paths.clear()

    def meta(self) -> Meta:
        """Return where the index stands, after checking the schema and the top node."""
        rows = self.rows("SELECT seq, version, root, bytes, paths, mark FROM meta WHERE id = 1")
        if len(rows) != 1:
            raise damaged("it does not say where it stands")
        seq, version, root, total_bytes, paths, mark = rows[0]
        try:
            ref = decode_ref(root)
        except (ValueError, TypeError):
            raise damaged("its root is unreadable") from None
        if isinstance(ref, Branch):
            self.node(ref)
        return Meta(seq, version, ref, Totals(total_bytes, paths), mark)

    def node(self, ref: Branch) -> Node:
        """Return the node of a reference, checked against the reference's hash."""
        rows = self.rows("SELECT body FROM node WHERE id = ?", (ref.id,))
        try:
            node = decode_node(rows[0][0])
        except (IndexError, ValueError, TypeError):
            raise damaged("a tree node is missing or unreadable") from None
        if inner_hash(node.bit, node.left.hash, node.right.hash) != ref.hash:
            raise damaged("a tree node does not have its hash")
        return node

    def record(self, path: str) -> Record | None:
        """Return what a path has; None for nothing."""
        parent, name = split_path(path)
        folder = self.path_id(parent)
        if folder is None:
            return None
        rows = self.rows(
            f"SELECT {_FIELDS} FROM path p LEFT JOIN change c ON c.version = p.latest "  # noqa: S608
            "WHERE p.parent = ? AND p.name = ? AND p.live = 1",
            (folder, name),
        )
        return _record(rows[0]) if rows else None

    def children(self, folder: str, after: str, *, limit: int = PAGE_NAMES) -> Page[Record]:
        """Return at most `limit` live names of a folder above `after`, in UTF-8 order."""
        folder_id = self.path_id(folder)
        if folder_id is None:
            return []
        rows = self.rows(
            f"SELECT {_FIELDS}, p.name FROM path p LEFT JOIN change c "  # noqa: S608
            "ON c.version = p.latest WHERE p.parent = ? AND p.name > ? AND p.live = 1 "
            "ORDER BY p.name LIMIT ?",
            (folder_id, after, limit),
        )
        page = [(row[5], _record(row)) for row in rows]
        return [(name, record) for name, record in page if record is not None]

    def children_at(self, folder: str, version: int, after: str) -> Page[Record | None]:
        """Return at most PAGE_NAMES names above `after` that a folder has or ever had, in order.

        With what each had after a filesVersion: None for nothing.
        """
        folder_id = self.path_id(folder)
        if folder_id is None:
            return []
        page: Page[Record | None] = []
        for live in (0, 1):
            rows = self.rows(
                f"SELECT {_FIELDS}, p.name FROM path p LEFT JOIN change c ON c.version = "  # noqa: S608
                "(SELECT max(version) FROM change WHERE path = p.id AND version <= ?) "
                f"WHERE p.parent = ? AND p.name > ? AND p.live = {live} "
                f"ORDER BY p.name LIMIT {PAGE_NAMES}",
                (version, folder_id, after),
            )
            page += [(row[5], None if row[0] is None else _record(row)) for row in rows]
        return sorted(page, key=_name)[:PAGE_NAMES]

    def record_at(self, path: str, version: int) -> Record | None:
        """Return what a path had after this filesVersion."""
        path_id = self.path_id(path)
        if path_id is None:
            return None
        rows = self.rows(
            f"SELECT {_FIELDS} FROM change c WHERE path = ? AND version <= ? "  # noqa: S608
            "ORDER BY version DESC LIMIT 1",
            (path_id, version),
        )
        return _record(rows[0]) if rows else None

    def history(
        self, path: str | None, start: int, end: int, *, reverse: bool, limit: int
    ) -> list[ChangeRow]:
        """Return (version, seq, path, record) of changes with start <= version < end."""
        where, arguments = "version >= ? AND version < ?", [start, end]
        if path is not None:
            path_id = self.path_id(path)
            if path_id is None:
                return []
            where, arguments = f"path = ? AND {where}", [path_id, *arguments]
        rows = self.rows(
            f"SELECT {_FIELDS}, version, seq, path FROM change c WHERE {where} "  # noqa: S608
            f"ORDER BY version {'DESC' if reverse else 'ASC'} LIMIT ?",
            [*arguments, limit],
        )
        return [(row[5], row[6], self._path(row[7]), _record(row)) for row in rows]

    def seq_of(self, version: int) -> int:
        """Return the log entry that made a filesVersion."""
        rows = self.rows("SELECT seq FROM change WHERE version = ?", (version,))
        if not rows:
            raise damaged("a change is missing")
        return int(rows[0][0])

    def path_id(self, path: str) -> int | None:
        """Return the id of a path that is or was there; 0 for the root."""
        if path == ROOT:
            return 0
        found = self._ids.get(path)
        if found is not None:
            return found
        parent, prefix = 0, ""
        for name in path[1:].split("/"):
            prefix = f"{prefix}/{name}"
            found = self._ids.get(prefix)
            if found is None:
                rows = self.rows(FIND_ID, {"parent": parent, "name": name})
                if not rows:
                    return None
                found = int(rows[0][0])
                self._ids.put(prefix, found)
            parent = found
        return parent

    def _path(self, path_id: int) -> str:
        way: list[tuple[int, str]] = []
        known, parent = None, path_id
        while parent:
            known = self._paths.get(parent)
            if known is not None:
                break
            rows = self.rows("SELECT parent, name FROM path WHERE id = ?", (parent,))
            if not rows:
                raise damaged("a path is missing")
            way.append((parent, rows[0][1]))
            parent = rows[0][0]
        path = known or ROOT
        # The folders on the way as well: the next row is often one of them.
        for folder_id, name in reversed(way):
            path = join_path(path, name)
            self._paths.put(folder_id, path)
        return path


def _name(item: tuple[str, object]) -> str:
    return item[0]


def _record(row: tuple[Any, ...]) -> Record | None:
    kind, size, sha256, mtime_ms, block = row[:5]
    if kind == 0 and isinstance(sha256, bytes) and len(sha256) == 32:
        return Record("file", size, sha256, mtime_ms, block, block_count(size))
    if kind == 1:
        return Record("folder", 0, ZERO_HASH, mtime_ms, 0, 0)
    if kind == 2:
        return None
    raise damaged("a change is unreadable")
