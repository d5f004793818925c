"""Files as they will be when a journal is redone, for those who may not change anything.

A directory that a crash left has its newest batches in the journal, and the files beside it may
lack them. Whoever reads such a directory reads through this. A judge has only holes filled: bytes
that stand where the journal has others are no crash's doing, and he should see them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path

from nodevms.feed.files import FileSystem, RandomAccessFile
from nodevms.feed.journal_records import SECTOR_BYTES, Write


class RedoneFiles:
    """A :class:`nodevms.feed.FileSystem` that only reads.

    Args:
        below: The files as they are.
        writes: For each file that the journal covers, what it has to write, in order.
        holes_only: Leave what stands in the files as it is: only a sector's share of a write that
            is missing or all zeros is taken from the journal.
    """

    def __init__(
        self, below: FileSystem, writes: dict[Path, list[Write]], *, holes_only: bool
    ) -> None:
        self._below = below
        self._writes = writes
        self._holes_only = holes_only

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> RandomAccessFile:
        """See :class:`nodevms.feed.FileSystem`; opening for anything but reading fails."""
        if create or writable:
            raise OSError(errno.EROFS, "a judge changes nothing", str(path))
        file = self._below.open(path, mode=mode)
        writes = self._writes.get(path)
        return _RedoneFile(file, writes, holes_only=self._holes_only) if writes else file

    def make_directory(self, path: Path) -> None:
        """Fail: nothing is changed."""
        raise OSError(errno.EROFS, "a judge changes nothing", str(path))

    def sync_directory(self, path: Path) -> None:
        """See :class:`nodevms.feed.FileSystem`."""
        self._below.sync_directory(path)


class _RedoneFile:
    """One file with the journal's writes laid over it, and nothing else remembered of it.

    So of a file that is being written, what the journal did not have yet is read as it is now.
    """

    __slots__ = ("_end", "_file", "_holes_only", "_laid")

    def __init__(
        self, file: RandomAccessFile, writes: Iterable[Write], *, holes_only: bool
    ) -> None:
        self._file = file
        self._holes_only = holes_only
        self._end = 0
        # For each sector the shares of writes in it, in order: offset and bytes.
        self._laid: dict[int, list[tuple[int, memoryview]]] = {}
        for write in writes:
            self._end = max(self._end, write.offset + len(write.data))
            self._lay(write.offset, memoryview(write.data))

    def read_at(self, offset: int, size: int) -> bytes:
        size = max(0, min(size, self.size() - offset))
        data = bytearray(self._file.read_at(offset, size).ljust(size, b"\x00"))
        end = offset + size
        for number in range(offset // SECTOR_BYTES, -(-end // SECTOR_BYTES)):
            for start, part in self._laid.get(number, ()):
                there = self._there(start, len(part))
                first, last = max(start + there, offset), min(start + len(part), end)
                if first < last:
                    data[first - offset : last - offset] = part[first - start : last - start]
        return bytes(data)

    def write_at(self, offset: int, data: bytes) -> None:
        raise OSError(errno.EROFS, "a judge changes nothing")

    def size(self) -> int:
        return max(self._end, self._file.size())

    def truncate(self, size: int) -> None:
        raise OSError(errno.EROFS, "a judge changes nothing")

    def sync(self) -> None:
        self._file.sync()

    def close(self) -> None:
        self._file.close()

    def _there(self, offset: int, size: int) -> int:
        """Return how many bytes of a share are left as they stand in the file."""
        found = self._file.read_at(offset, size) if self._holes_only else b""
        return len(found) if found.strip(b"\x00") else 0

    def _lay(self, offset: int, data: memoryview) -> None:
        at = 0
        while at < len(data):
            number, start = divmod(offset + at, SECTOR_BYTES)
            part = data[at : at + SECTOR_BYTES - start]
            self._laid.setdefault(number, []).append((offset + at, part))
            at += len(part)
