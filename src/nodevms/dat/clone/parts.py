"""Files that are being put together, in the clone's own folder until they are whole.

A part is named by the first content block of its file. Its bytes stand where they will stand in the
file; what is not here yet reads as zeros.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nodevms.dat.clone.folder import Folder

_OPEN_MAX: Final = 32
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Parts:
    """The parts in one folder. Its methods may be called from any thread.

    Args:
        folder: Where they are; nobody else may write there.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._open: OrderedDict[int, int] = OrderedDict()
        self._unsynced: set[int] = set()
        self._lock = threading.RLock()

    def names(self) -> set[str]:
        """Return the names of all that is there."""
        return set(os.listdir(self.folder.fd))

    def read(self, block: int, offset: int, size: int) -> bytes:
        """Return up to `size` bytes of a part; none if there is no such part."""
        with self._lock:
            try:
                fd = self._fd(block, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            except FileNotFoundError:
                return b""
            return os.pread(fd, size, offset)

    def write(self, block: int, offset: int, data: bytes) -> None:
        """Write into a part, made if it is not there."""
        with self._lock:
            if os.pwrite(self._fd(block, _NEW), data, offset) != len(data):
                raise OSError(errno.EIO, "short write")
            self._unsynced.add(block)

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        with self._lock:
            for block in sorted(self._unsynced):
                try:
                    fd = self._fd(block, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # it was thrown away meanwhile
                os.fsync(fd)
            if self._unsynced:
                os.fsync(self.folder.fd)
            self._unsynced.clear()

    def remove(self, name: str) -> None:
        """Remove a part, or another file here; it is no error if it is not there."""
        with self._lock:
            if name.isdecimal():
                self.release(int(name))
            try:
                os.unlink(name, dir_fd=self.folder.fd)
            except FileNotFoundError:
                return

    def release(self, block: int) -> None:
        """Close a part that will not be written any more under this name."""
        with self._lock:
            fd = self._open.pop(block, None)
            if fd is not None:
                os.close(fd)

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            while self._open:
                os.close(self._open.popitem()[1])
            self.folder.close()

    def _fd(self, block: int, flags: int) -> int:
        fd = self._open.get(block)
        if fd is None:
            fd = os.open(str(block), flags, 0o666, dir_fd=self.folder.fd)
            self._open[block] = fd
            while len(self._open) > _OPEN_MAX:
                oldest, old = self._open.popitem(last=False)
                if oldest in self._unsynced:
                    os.fsync(old)
                    self._unsynced.discard(oldest)
                os.close(old)
        self._open.move_to_end(block)
        return fd
