"""The clone's own record, in SQLite: the wanted version, what was written, and what is under way.

    meta     drive (key), planned (the version in `wanted`), version (the one that the folder has)
    wanted   every path of the planned version; `needed` while its content is not in place
    held     every path that the clone wrote; `changed` once somebody else changed it
    placing  files that are whole and being moved to their places
    skipped  paths of the planned version that are not written, and why

Only the process that has it open writes to the folder: the file is locked exclusively. Everything
in it was made by this program, in a folder that nobody else may write to.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from nodevms.dat.clone.records import Held, Range, Skipped, Wanted
from nodevms.errors import StorageError, UsageError

LEDGER: Final = "nodevms.db"
_APPLICATION_ID: Final = 0x6E76_636C
_VERSION: Final = 1
_PAGE: Final = 512
_RANGE: Final = "byte_offset INTEGER, block INTEGER, blocks INTEGER, size INTEGER"
_HELD: Final = (
    f"(path TEXT PRIMARY KEY, {_RANGE}, executable INTEGER NOT NULL, mtime_ms INTEGER NOT NULL,"
    " mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, changed INTEGER NOT NULL DEFAULT 0)"
    " WITHOUT ROWID;"
)
_SCHEMA: Final = f"""
BEGIN;
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE wanted(path TEXT PRIMARY KEY, {_RANGE}, executable INTEGER NOT NULL,
  mtime_ms INTEGER NOT NULL, folded TEXT UNIQUE, needed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX wanted_range ON wanted(byte_offset, block) WHERE byte_offset IS NOT NULL;
CREATE INDEX wanted_needed ON wanted(byte_offset, block, blocks, size) WHERE needed = 1;
CREATE TABLE held{_HELD}
CREATE INDEX held_range ON held(byte_offset, block) WHERE byte_offset IS NOT NULL;
CREATE TABLE placing{_HELD}
CREATE TABLE skipped(path TEXT PRIMARY KEY, reason TEXT NOT NULL, false INTEGER NOT NULL)
  WITHOUT ROWID;
COMMIT;
"""
RANGE_COLUMNS: Final = "byte_offset, block, blocks, size"
OF_RANGE: Final = "byte_offset = ? AND block = ? AND blocks = ? AND size = ?"
HELD_COLUMNS: Final = f"path, {RANGE_COLUMNS}, executable, mtime_ms, mtime_ns, inode"
WANTED_COLUMNS: Final = f"path, {RANGE_COLUMNS}, executable, mtime_ms"
SAME_RANGE: Final = (
    "((h.size = 0 AND w.size = 0) OR (h.byte_offset = w.byte_offset AND h.block = w.block"
    " AND h.blocks = w.blocks AND h.size = w.size))"
)


class Ledger:
    """The open record. Its methods may be called from any thread.

    Args:
        folder: The clone's own folder.

    Raises:
        UsageError: Another process works on this clone (code ``clone-in-use``).
        StorageError: The record cannot be opened, or is none of this release.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.RLock()
        with _sqlite_errors():
            self._connection = sqlite3.connect(
                folder / LEDGER, isolation_level=None, check_same_thread=False, timeout=0
            )
        try:
            with _sqlite_errors():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the record, and let others work on the clone."""
        with self._lock:
            self._connection.close()

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return all of its rows."""
        with self._lock, _sqlite_errors():
            return self._connection.execute(sql, arguments).fetchall()

    def number(self, sql: str, arguments: Sequence[object] = ()) -> int:
        """Run a statement whose first row begins with a number; NULL is zero."""
        return int(self.rows(sql, arguments)[0][0] or 0)

    def insert(self, table: str, held: Held) -> None:
        """Write a row of `held` or `placing`, over one of the same path."""
        place = held.range
        numbers = (
            (None,) * 4
            if place is None
            else (place.byte_offset, place.block, place.blocks, place.size)
        )
        self.rows(
            f"INSERT OR REPLACE INTO {table}({HELD_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608
            (
                held.path,
                *numbers,
                held.executable,
                held.mtime_ms,
                held.mtime_ns,
                held.inode,
            ),
        )

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Let all that the block writes be there together, or nothing of it.

        Args:
            durable: And let not even a power cut take it away.
        """
        with self._lock:
            self.rows(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self.rows("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self.rows("COMMIT")

    def meta(self, name: str) -> Any:
        """Return a value of `meta`, or None."""
        found = self.rows("SELECT value FROM meta WHERE name = ?", (name,))
        return found[0][0] if found else None

    def set_meta(self, name: str, value: object) -> None:
        """Set a value of `meta`."""
        self.rows("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def held(self, path: str) -> tuple[Held, bool] | None:
        """Return what was written at a path, and whether somebody else changed it since."""
        found = self.rows(f"SELECT {HELD_COLUMNS}, changed FROM held WHERE path = ?", (path,))  # noqa: S608
        return (held_of(found[0][:-1]), bool(found[0][-1])) if found else None

    def all_held(self) -> Iterator[tuple[Held, bool]]:
        """Yield everything that was written, by path, and whether somebody else changed it since.

        What is yielded may be changed or deleted meanwhile.
        """
        path = ""
        while True:
            rows = self.rows(
                f"SELECT {HELD_COLUMNS}, changed FROM held WHERE path > ? ORDER BY path LIMIT ?",  # noqa: S608
                (path, _PAGE),
            )
            for row in rows:
                yield held_of(row[:-1]), bool(row[-1])
            if len(rows) < _PAGE:
                return
            path = rows[-1][0]

    def wanted(self, where: str, arguments: tuple[object, ...] = ()) -> list[Wanted]:
        """Return the wanted paths for which a condition holds."""
        rows = self.rows(f"SELECT {WANTED_COLUMNS} FROM wanted WHERE {where}", arguments)  # noqa: S608
        return [wanted_of(row) for row in rows]

    def needed_ranges(self, after: Range | None = None, most: int = -1) -> list[Range]:
        """Return the contents that are still to come, in the order of the content feed."""
        start = (-1, -1, -1, -1)
        if after is not None:
            start = (after.byte_offset, after.block, after.blocks, after.size)
        rows = self.rows(
            f"SELECT DISTINCT {RANGE_COLUMNS} FROM wanted WHERE needed = 1 AND size > 0"  # noqa: S608
            f" AND ({RANGE_COLUMNS}) > (?, ?, ?, ?) ORDER BY {RANGE_COLUMNS} LIMIT ?",
            (*start, most),
        )
        return [Range(*row) for row in rows]

    def set_needed(self, place: Range, *, needed: bool) -> None:
        """Say whether a content is still to come."""
        self.rows(
            f"UPDATE wanted SET needed = ? WHERE {OF_RANGE}",  # noqa: S608
            (needed, place.byte_offset, place.block, place.blocks, place.size),
        )

    def skipped(self, most: int) -> list[Skipped]:
        """Return the first paths that are not written."""
        found = self.rows("SELECT path, reason, false FROM skipped ORDER BY path LIMIT ?", (most,))
        return [Skipped(path, reason, bool(false)) for path, reason, false in found]

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        run("PRAGMA cache_size = -8192")
        run("BEGIN IMMEDIATE")
        run("COMMIT")
        if run("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            run(f"PRAGMA application_id = {_APPLICATION_ID}")
            run(f"PRAGMA user_version = {_VERSION}")
            self._connection.executescript(_SCHEMA)
        found = tuple(
            run(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        if found != (_APPLICATION_ID, _VERSION):
            raise StorageError(f"{LEDGER} is not this release's record.", code="clone-record")


def range_of(columns: Sequence[Any]) -> Range | None:
    """Return the range that four columns hold; None for a folder's."""
    return None if columns[0] is None else Range(*columns)


def held_of(row: Sequence[Any]) -> Held:
    """Return the row with HELD_COLUMNS."""
    path, *rest = row
    executable, mtime_ms, mtime_ns, inode = rest[4:]
    return Held(path, range_of(rest[:4]), bool(executable), mtime_ms, mtime_ns, inode)


def wanted_of(row: Sequence[Any]) -> Wanted:
    """Return the row with WANTED_COLUMNS."""
    path, *rest = row
    return Wanted(path, range_of(rest[:4]), bool(rest[4]), rest[5])


@contextmanager
def _sqlite_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise UsageError(
                "Another process works on this clone.",
                code="clone-in-use",
                hint="Stop the other one first.",
            ) from error
        raise StorageError(
            f"The clone's record could not be used: {error}", code="clone-record"
        ) from error
