"""The state on disk: SQLite tables that are derived from the log and can always be made again.

    meta    one row: log length, filesVersion, the tree's root, bytes and paths of all files, the
            owner's mark
    node    the inner nodes of the tree (`nodecodec`), by their place
    path    every path that ever was: parent, name, its newest version, whether it is live
    change  every change, by filesVersion: path, entry, kind, size, SHA-256, block, time

A path is stored once in `path` and once in one of two partial indexes over (parent, name), live or
dead: listing a folder is a range scan that meets no deleted name, and neither a look-up nor a
change depends on the folder's size. Measured (`bench/state.py`): for good, a change to a known
path takes about 75 bytes and a new file about 250 with its history and tree node; a random
overwrite among 300,000 files writes 6 pages.

Trust: none needed. Nodes are checked against the hash that leads to them when they are loaded, and
contents against their SHA-256; whoever opens the index compares its root with the log's.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from nodevms.errors import StorageError

DAMAGED = "state-index-damaged"
APPLICATION_ID = 0x6E76_6D73
SCHEMA_VERSION = 3
_SUFFIXES = ("", "-wal", "-shm", "-journal")

_SCHEMA = """
BEGIN;
CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL,
  version INTEGER NOT NULL, root BLOB NOT NULL, bytes INTEGER NOT NULL, paths INTEGER NOT NULL,
  mark INTEGER NOT NULL);
CREATE TABLE node(id BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE path(id INTEGER PRIMARY KEY, parent INTEGER NOT NULL, name TEXT NOT NULL,
  latest INTEGER NOT NULL, live INTEGER NOT NULL);
CREATE UNIQUE INDEX path_live ON path(parent, name) WHERE live = 1;
CREATE UNIQUE INDEX path_dead ON path(parent, name) WHERE live = 0;
CREATE TABLE change(version INTEGER PRIMARY KEY, path INTEGER NOT NULL, seq INTEGER NOT NULL,
  kind INTEGER NOT NULL, size INTEGER NOT NULL, sha256 BLOB, block INTEGER NOT NULL,
  mtime INTEGER NOT NULL);
CREATE INDEX change_path ON change(path, version);
INSERT INTO meta VALUES (1, 0, 0, x'00', 0, 0, 0);
COMMIT;
"""
_CLEAR = """
BEGIN;
DELETE FROM node; DELETE FROM path; DELETE FROM change;
UPDATE meta SET seq = 0, version = 0, root = x'00', bytes = 0, paths = 0, mark = 0;
COMMIT;
"""
# What the disk or another program did; the file itself may be sound.
_OUTSIDE = ("FULL", "IOERR", "BUSY", "LOCKED", "READONLY", "CANTOPEN", "PERM", "NOMEM", "AUTH")


def open_connection(path: Path | None) -> sqlite3.Connection:
    """Open the index's file, made and laid out if it is not there; None for a temporary one.

    Raises:
        StorageError: Code `state-index-damaged` if the file is something else.
    """
    try:
        connection = sqlite3.connect(
            "" if path is None else path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
    except sqlite3.Error as error:
        raise storage_error(error) from error
    try:
        _prepare(connection, temporary=path is None)
    except sqlite3.Error as error:
        connection.close()
        raise storage_error(error) from error
    except StorageError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, *, temporary: bool) -> None:
    connection.execute(f"PRAGMA journal_mode = {'MEMORY' if temporary else 'WAL'}")
    connection.execute(f"PRAGMA synchronous = {'OFF' if temporary else 'NORMAL'}")
    connection.execute("PRAGMA cache_size = -4096")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        # Before the tables: a file without them is not ours until it is whole.
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.executescript(_SCHEMA)
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (application, version) != (APPLICATION_ID, SCHEMA_VERSION):
        raise damaged("it is not this release's index")


def clear(connection: sqlite3.Connection) -> None:
    """Empty all tables."""
    try:
        connection.executescript(_CLEAR)
    except sqlite3.Error as error:
        raise storage_error(error) from error


def storage_error(error: sqlite3.Error) -> StorageError:
    """Return what a SQLite error means here."""
    if isinstance(error, sqlite3.ProgrammingError):  # closed, while a reader was still at it
        return StorageError(f"the state index could not be used: {error}", code="state-index")
    name = getattr(error, "sqlite_errorname", "")
    if any(part in name for part in _OUTSIDE):
        return StorageError(f"the state index could not be used: {error}", code="state-index")
    return damaged(str(error))


def damaged(why: str) -> StorageError:
    """Return the error for an index that must be made again."""
    return StorageError(
        f"the state index is damaged: {why}",
        code=DAMAGED,
        hint="it is derived data; it is made again from the call log",
    )


def remove_index(path: Path) -> None:
    """Remove an index's files, damaged or not; it is no error if there are none.

    Raises:
        StorageError: The files cannot be removed.
    """
    try:
        for suffix in _SUFFIXES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"the state index cannot be removed: {error}") from error
