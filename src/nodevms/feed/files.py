"""The file system, as narrow as a feed needs it, so that tests can put a failing one in its place.

Trusts the operating system to keep what it was told to sync. A short write is an error here, not
something to go on from: on a full disk the rest of a batch would be missing.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Protocol

_sync_data = getattr(os, "fdatasync", os.fsync)


class RandomAccessFile(Protocol):
    """An open file that is read and written at given offsets. Reads are safe from any thread."""

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``; fewer only where the file ends."""

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of the bytes or raise OSError; the file grows with zeros as needed."""

    def size(self) -> int:
        """Return the present size in bytes."""

    def truncate(self, size: int) -> None:
        """Cut the file, or extend it with zeros, to ``size`` bytes."""

    def sync(self) -> None:
        """Return when everything written before is on the disk, or raise OSError."""

    def close(self) -> None:
        """Close the file. Closing twice does nothing."""


class FileSystem(Protocol):
    """Opens files and makes directories."""

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> RandomAccessFile:
        """Open a file.

        Args:
            path: Where it is.
            create: Make it, with at most the permissions of ``mode``, if it is not there.
            writable: Open for reading and writing; otherwise writes fail.
            mode: Permissions of a new file.

        Raises:
            OSError: As ``os.open``.
        """

    def make_directory(self, path: Path) -> None:
        """Make a directory, and those above it, private to the user; it may exist."""

    def sync_directory(self, path: Path) -> None:
        """Return when the names in the directory are on the disk."""


def open_plain(path: Path, flags: int, mode: int = 0o644) -> int:
    """Open a plain file and return its descriptor.

    In a directory that came from somebody else anything may stand in a file's place. A pipe would
    make us wait for ever, and a device would never end.

    Raises:
        OSError: As ``os.open``, or it is no plain file.
    """
    fd = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, mode)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a plain file", str(path))
    return fd


def read_start(path: Path, bytes_max: int) -> bytes:
    """Return the first bytes of a plain file.

    Raises:
        OSError: As :func:`open_plain`, or it cannot be read.
    """
    fd = open_plain(path, os.O_RDONLY)
    try:
        return os.pread(fd, bytes_max, 0)
    finally:
        os.close(fd)


class OSFile:
    """A :class:`RandomAccessFile` of the operating system."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read_at(self, offset: int, size: int) -> bytes:
        """See :class:`RandomAccessFile`."""
        data = os.pread(self._fd, size, offset)
        while 0 < len(data) < size:
            more = os.pread(self._fd, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def write_at(self, offset: int, data: bytes) -> None:
        """See :class:`RandomAccessFile`."""
        written = os.pwrite(self._fd, data, offset)
        if written != len(data):
            # The rest is not there either, but the system says why: the disk is full.
            os.pwrite(self._fd, data[written:], offset + written)
            raise OSError(errno.EIO, "short write")

    def size(self) -> int:
        """See :class:`RandomAccessFile`."""
        return os.fstat(self._fd).st_size

    def truncate(self, size: int) -> None:
        """See :class:`RandomAccessFile`."""
        os.ftruncate(self._fd, size)

    def sync(self) -> None:
        """See :class:`RandomAccessFile`."""
        _sync_data(self._fd)

    def close(self) -> None:
        """See :class:`RandomAccessFile`."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


class OSFiles:
    """The :class:`FileSystem` of the operating system."""

    more_flags = 0

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> OSFile:
        """See :class:`FileSystem`."""
        flags = (os.O_RDWR if writable or create else os.O_RDONLY) | self.more_flags
        fd = open_plain(path, flags | (os.O_CREAT if create else 0), mode)
        if create and os.fstat(fd).st_mode & 0o777 & ~mode:
            os.fchmod(fd, mode)
        return OSFile(fd)

    def make_directory(self, path: Path) -> None:
        """See :class:`FileSystem`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)

    def sync_directory(self, path: Path) -> None:
        """See :class:`FileSystem`."""
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


class UnlinkedFiles(OSFiles):
    """The same, and no link is followed: whoever made a directory leads us nowhere outside it."""

    more_flags = os.O_NOFOLLOW
