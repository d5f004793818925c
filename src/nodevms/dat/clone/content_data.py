"""The content feed's ``data`` file, which is no file: its bytes stand in the cloned files.

A range of the feed is a part while its file is being put together, and the file at its place
afterwards. So each byte is on the disk once, and a clone can serve on to others what it holds. A
file that somebody changed reads as something else than the feed's tree says, and every reader of a
feed checks that; so nothing here needs to notice.

As in `dat` 13, all other files of both feeds lie in the clone's own folder.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from nodevms.feed import open_plain
from nodevms.feed.files import OSFile

if TYPE_CHECKING:
    from pathlib import Path

    from nodevms.dat.clone.folder import Folder
    from nodevms.dat.clone.ledger import Ledger
    from nodevms.dat.clone.parts import Parts
    from nodevms.feed import RandomAccessFile

CONTENT_DATA: Final = "content.data"


class ContentData:
    """A :class:`nodevms.feed.RandomAccessFile` over the clone's parts and files.

    Args:
        ledger: Says what is where.
        parts: The files being put together.
        folder: Where the finished ones are.
    """

    def __init__(self, ledger: Ledger, parts: Parts, folder: Folder) -> None:
        self._ledger = ledger
        self._parts = parts
        self._folder = folder
        self.dropped_bytes = 0
        """Bytes that came and belong to no wanted file: some stat is false."""

    def read_at(self, offset: int, size: int) -> bytes:
        """See :class:`RandomAccessFile`; what is nowhere reads as the file's end."""
        found = bytearray()
        while len(found) < size:
            piece = self._read_piece(offset + len(found), size - len(found))
            if not piece:
                break
            found += piece
        return bytes(found)

    def write_at(self, offset: int, data: bytes) -> None:
        """See :class:`RandomAccessFile`; what belongs to no wanted file is dropped."""
        at = 0
        while at < len(data):
            place = self._part_at(offset + at)
            if place is None:
                following = self._ledger.number(
                    "SELECT min(byte_offset) FROM wanted WHERE needed = 1 AND size > 0"
                    " AND byte_offset > ?",
                    (offset + at,),
                )
                following = min(following - offset if following else len(data), len(data))
                self.dropped_bytes += following - at
                at = following
                continue
            start, block, end = place
            piece = data[at : at + end - (offset + at)]
            self._parts.write(block, offset + at - start, piece)
            at += len(piece)

    def size(self) -> int:
        """See :class:`RandomAccessFile`: where the last range ends, if they are true."""
        ends = (
            self._ledger.rows(
                f"SELECT byte_offset + size FROM {table} WHERE byte_offset IS NOT NULL"  # noqa: S608
                " ORDER BY byte_offset DESC LIMIT 1"
            )
            for table in ("wanted", "held")
        )
        return max((int(row[0]) for rows in ends for row in rows), default=0)

    def truncate(self, size: int) -> None:
        """See :class:`RandomAccessFile`. Ranges end where the drive says: does nothing."""

    def sync(self) -> None:
        """See :class:`RandomAccessFile`."""
        self._parts.sync()

    def close(self) -> None:
        """See :class:`RandomAccessFile`. The parts are closed by their owner."""

    def _read_piece(self, offset: int, size: int) -> bytes:
        place = self._part_at(offset)
        if place is not None:
            start, block, end = place
            return self._parts.read(block, offset - start, min(size, end - offset))
        held = self._ledger.rows(
            "SELECT byte_offset, size, path FROM held WHERE byte_offset <= ? AND size > 0"
            " AND changed = 0 ORDER BY byte_offset DESC LIMIT 1",
            (offset,),
        )
        if not held or offset >= held[0][0] + held[0][1]:
            return b""
        start, length, path = held[0]
        fd = self._folder.open_file(tuple(path.split("/")))
        if fd is None:
            return b""
        try:
            return os.pread(fd, min(size, start + length - offset), offset - start)
        finally:
            os.close(fd)

    def _part_at(self, offset: int) -> tuple[int, int, int] | None:
        """Return (first byte, first block, end) of the wanted range with a byte of the feed."""
        found = self._ledger.rows(
            "SELECT byte_offset, block, byte_offset + size FROM wanted"
            " WHERE needed = 1 AND byte_offset <= ? AND size > 0"
            " ORDER BY byte_offset DESC LIMIT 1",
            (offset,),
        )
        return found[0] if found and offset < found[0][2] else None


class CloneFiles:
    """The :class:`nodevms.feed.FileSystem` for the feeds of a clone.

    Args:
        own: The clone's own folder, whose files all feeds' files are.
        content: What stands for the content feed's data.
    """

    def __init__(self, own: Folder, content: ContentData) -> None:
        self._own = own
        self._content = content

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> RandomAccessFile:
        """See :class:`FileSystem`."""
        if path.parent != self._own.path:
            raise OSError(errno.EPERM, "it is outside the clone's own folder", str(path))
        if path.name == CONTENT_DATA:
            return self._content
        flags = os.O_RDWR if writable or create else os.O_RDONLY
        flags |= os.O_NOFOLLOW | (os.O_CREAT if create else 0)
        return OSFile(open_plain(path, flags, mode))

    def make_directory(self, path: Path) -> None:
        """See :class:`FileSystem`. The folder is there."""

    def sync_directory(self, path: Path) -> None:
        """See :class:`FileSystem`."""
        os.fsync(self._own.fd)
