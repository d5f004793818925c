"""Files as they will be when a journal is redone, for those who may not change anything.

A directory that a crash left has its newest batches in the journal, and the files beside it may
lack them. Whoever judges such a directory reads through this.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from nodevms.feed.files import FileSystem, RandomAccessFile
from nodevms.feed.journal_records import Write

_PAGE_BYTES: Final = 4096


class RedoneFiles:
    """A :class:`nodevms.feed.FileSystem` that only reads.

    Args:
        below: The files as they are.
        writes: For each file that the journal covers, what it has to write, in order.
    """

    def __init__(self, below: FileSystem, writes: dict[Path, list[Write]]) -> None:
        self._below = below
        self._writes = writes

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> RandomAccessFile:
        """See :class:`nodevms.feed.FileSystem`; opening for anything but reading fails."""
        if create or writable:
            raise OSError(errno.EROFS, "a judge changes nothing", str(path))
        file = self._below.open(path, mode=mode)
        writes = self._writes.get(path)
        return _RedoneFile(file, writes) if writes else file

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

    __slots__ = ("_end", "_file", "_laid")

    def __init__(self, file: RandomAccessFile, writes: Iterable[Write]) -> None:
        self._file = file
        self._end = 0
        # For each page the parts of writes in it, in order: offset and bytes.
        self._laid: dict[int, list[tuple[int, memoryview]]] = {}
        for write in writes:
            self._end = max(self._end, write.offset + len(write.data))
            self._lay(write.offset, memoryview(write.data))

    def read_at(self, offset: int, size: int) -> bytes:
        size = max(0, min(size, self.size() - offset))
        data = bytearray(self._file.read_at(offset, size).ljust(size, b"\x00"))
        end = offset + size
        for number in range(offset // _PAGE_BYTES, -(-end // _PAGE_BYTES)):
            for start, part in self._laid.get(number, ()):
                first, last = max(start, offset), min(start + len(part), end)
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

    def _lay(self, offset: int, data: memoryview) -> None:
        at = 0
        while at < len(data):
            number, start = divmod(offset + at, _PAGE_BYTES)
            part = data[at : at + _PAGE_BYTES - start]
            self._laid.setdefault(number, []).append((offset + at, part))
            at += len(part)
