"""Many files made to last by one sync: a redo journal in front of the files of feeds.

A batch changes three files of a feed that all grow, and the system's sync of a file that grows
writes its new length down as well. So what was written to all of them since the last sync is
written once more, end to end, into one file that has its room already, and only that file is
synced. When it is full, the files themselves are synced and it begins anew. After a crash
:meth:`Journal.redo` writes everything that it holds again, in order, before a feed is opened.

A journal is a file system to the feeds: they write, sync and recover as ever, and what is visible
to readers is in the files at once. Four rules carry it (docs/adr/0013):

1. A sync returns when all writes before it are on the disk, in a record or in the files.
2. Records count only under the header's generation, which changes only when the files are synced.
3. Redoing writes everything again, the bytes that seem to be there included, because after a
   failed sync the system may hold in memory what the disk has not got.
4. A last record that is not whole was never synced, so nobody relied on it. Anything else that is
   not whole is damage, and refused.

Derived files (a feed's bitfield) are synced only at the end: opening a feed makes them anew.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from nodevms.feed.errors import FeedDamagedError
from nodevms.feed.files import FileSystem, OSFiles, RandomAccessFile
from nodevms.feed.journal_records import (
    GENERATION_BYTES,
    SECTOR_BYTES,
    Write,
    encode_header,
    encode_record,
    read_records,
)
from nodevms.feed.redone import RedoneFiles

ROOM_BYTES: Final = 1 << 20
_READ_BYTES_MAX: Final = 64 << 20


class Journal:
    """The file system of a backend's feeds.

    One thread writes and syncs its files; any thread may read them.

    Args:
        path: The journal's own file.
        members: The files that it covers, in the order in which they are synced. A record names a
            file by its place here, so the order is part of the format.
        derived: Files that are not synced while the journal runs.
        files: The file system below.
        random: Gives the bytes that name a generation.
        room_bytes: The journal's size; what does not fit is synced in the files themselves.
    """

    def __init__(
        self,
        path: Path,
        members: Sequence[Path],
        *,
        derived: Sequence[Path] = (),
        files: FileSystem | None = None,
        random: Callable[[int], bytes] = os.urandom,
        room_bytes: int = ROOM_BYTES,
    ) -> None:
        self._path = path
        self._members = tuple(members)
        self._derived = frozenset(derived)
        self._files = files or OSFiles()
        self._random = random
        self._room = room_bytes
        self._covered: dict[int, RandomAccessFile] = {}
        self._at_the_end: list[RandomAccessFile] = []
        self._waiting: list[Write] = []
        self._file: RandomAccessFile | None = None
        self._generation = b""
        self._end = 0
        self._failed = False

    @property
    def running(self) -> bool:
        """Whether syncs go through the journal at this moment."""
        return self._file is not None

    def redo(self) -> int:
        """Write again what the journal holds; called before any of the files is opened.

        The files are not synced: a feed that is opened for writing does that.

        Returns:
            The number of records.

        Raises:
            FeedDamagedError: The journal has a part that no crash explains.
            OSError: A file cannot be read or written.
        """
        records = self._records()
        opened: dict[int, RandomAccessFile] = {}
        try:
            for record in records:
                for write in record:
                    if write.member not in opened:
                        opened[write.member] = self._open_member(write.member)
                    opened[write.member].write_at(write.offset, write.data)
        finally:
            for member in opened.values():
                member.close()
        return len(records)

    def redone(self, *, holes_only: bool = False) -> FileSystem:
        """Return the files as `redo` would leave them, for reading; nothing is changed.

        Args:
            holes_only: For a judge: take from the journal only what a crash may have kept back.

        Raises:
            FeedDamagedError: The journal has a part that no crash explains.
            OSError: The journal cannot be read.
        """
        writes: dict[Path, list[Write]] = {}
        for record in self._records():
            for write in record:
                writes.setdefault(self._members[write.member], []).append(write)
        return RedoneFiles(self._files, writes, holes_only=holes_only)

    def begin(self) -> None:
        """Sync through the journal from now on; all files of the members are open and synced.

        Raises:
            OSError: The journal cannot be made.
        """
        file = self._files.open(self._path, create=True, writable=True, mode=0o600)
        try:
            if file.size() < self._room:
                file.write_at(0, bytes(SECTOR_BYTES))
                file.sync()  # without its header, no crash leaves old records among the zeros
                file.write_at(0, bytes(self._room))
                file.sync()
                self._files.sync_directory(self._path.parent)
            self._start_generation(file)
        except BaseException:
            file.close()
            raise
        self._file = file

    def end(self) -> None:
        """Sync the files themselves, derived ones included, and empty the journal.

        If that fails, or a commit did, what it holds stays, to be redone. Again it does nothing.

        Raises:
            OSError: A file could not be synced.
        """
        file, self._file = self._file, None
        if file is None:
            return
        try:
            if not self._failed:
                for member in [*self._in_order(), *self._at_the_end]:
                    member.sync()
                file.truncate(0)
                file.sync()
        finally:
            file.close()

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> RandomAccessFile:
        """See :class:`nodevms.feed.FileSystem`."""
        file = self._files.open(path, create=create, writable=writable, mode=mode)
        if path in self._members:
            number = self._members.index(path)
            self._covered[number] = file
            return _Covered(self, number, file)
        if path in self._derived:
            self._at_the_end.append(file)
            return _Derived(self, file)
        return file

    def make_directory(self, path: Path) -> None:
        """See :class:`nodevms.feed.FileSystem`."""
        self._files.make_directory(path)

    def sync_directory(self, path: Path) -> None:
        """See :class:`nodevms.feed.FileSystem`."""
        self._files.sync_directory(path)

    def note(self, member: int, offset: int, data: bytes) -> None:
        """Take a write into the next record."""
        if self._file is not None:
            self._waiting.append(Write(member, offset, data))

    def commit(self) -> None:
        """Make every noted write last.

        Raises:
            OSError: It may or may not last. The feeds must be opened again, from ``redo`` on.
        """
        file = self._file
        if file is None or not self._waiting:
            return
        if self._failed:
            raise OSError(errno.EIO, "an earlier write to the journal failed")
        self._failed = True
        record = encode_record(self._generation, self._end, self._waiting)
        if self._end + len(record) > self._room:
            for member in self._in_order():
                member.sync()
            self._start_generation(file)
        else:
            file.write_at(self._end, record)
            file.sync()
            self._end += len(record)
        self._waiting = []
        self._failed = False

    def _records(self) -> list[list[Write]]:
        try:
            file = self._files.open(self._path)
        except FileNotFoundError:
            return []
        try:
            data = file.read_at(0, min(file.size(), _READ_BYTES_MAX))
        finally:
            file.close()
        return read_records(data, len(self._members), self._path)

    def _start_generation(self, file: RandomAccessFile) -> None:
        self._generation = self._random(GENERATION_BYTES)
        file.write_at(0, encode_header(self._generation))
        file.sync()
        self._end = SECTOR_BYTES

    def _in_order(self) -> list[RandomAccessFile]:
        return [file for _, file in sorted(self._covered.items())]

    def _open_member(self, number: int) -> RandomAccessFile:
        path = self._members[number]
        try:
            return self._files.open(path, writable=True)
        except FileNotFoundError:
            raise FeedDamagedError(
                f"{path} is missing, and {self._path} has writes to it."
            ) from None


class _Covered:
    """A file that the journal makes last."""

    __slots__ = ("_file", "_journal", "_number")

    def __init__(self, journal: Journal, number: int, file: RandomAccessFile) -> None:
        self._journal = journal
        self._number = number
        self._file = file

    def read_at(self, offset: int, size: int) -> bytes:
        return self._file.read_at(offset, size)

    def write_at(self, offset: int, data: bytes) -> None:
        self._file.write_at(offset, data)
        self._journal.note(self._number, offset, data)

    def size(self) -> int:
        return self._file.size()

    def truncate(self, size: int) -> None:
        if self._journal.running:  # only opening a feed cuts, and a cut could not be redone
            raise OSError(errno.EPERM, "a file behind a journal only grows")
        self._file.truncate(size)

    def sync(self) -> None:
        if self._journal.running:
            self._journal.commit()
        else:
            self._file.sync()

    def close(self) -> None:
        self._file.close()


class _Derived(_Covered):
    """A file that is made anew when it is opened after a crash."""

    __slots__ = ()

    def __init__(self, journal: Journal, file: RandomAccessFile) -> None:
        super().__init__(journal, -1, file)

    def write_at(self, offset: int, data: bytes) -> None:
        self._file.write_at(offset, data)

    def sync(self) -> None:
        if not self._journal.running:
            self._file.sync()
