"""The lock of a directory's one writer, and how others tell that it is held."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from nodevms.errors import StorageError
from nodevms.feed import open_plain
from nodevms.vm.directory import LOCK_BYTES_MAX, Layout
from nodevms.vm.errors import LockedError


class WriterLock:
    """The lock of a directory's one writer; the system frees it when the process ends."""

    def __init__(self, layout: Layout) -> None:
        """Take the lock.

        Raises:
            LockedError: Another process holds it.
            StorageError: The lock file cannot be made.
        """
        self._fd = _open_lock(layout)
        while not _is_at(self._fd, layout.lock):
            # It was removed, with a backend that was not finished, while we waited for it.
            os.close(self._fd)
            self._fd = _open_lock(layout)
        with suppress(OSError):  # only the number is missing when the disk is full
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _open_lock(layout: Layout) -> int:
    """Open a directory's lock file and lock it; return its descriptor."""
    try:  # never what a link leads to: it is written to
        fd = open_plain(layout.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
    except OSError as error:
        raise StorageError(
            f"{layout.root} is not writable: {error.strerror}",
            code="not-writable",
            hint="Choose a directory that you may write with --dir.",
        ) from error
    try:
        _lock(fd)
    except OSError:
        owner = os.pread(fd, LOCK_BYTES_MAX, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise LockedError(
            f"{layout.root} is in use by another process"
            + (f" (process {owner})" if owner.isdigit() else ""),
            hint="A backend has one writer. Stop the other one first.",
        ) from None
    return fd


def _is_at(fd: int, path: Path) -> bool:
    """Tell whether an open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def _lock(fd: int) -> None:
    """Take the lock; a reader that asks :func:`is_locked` holds it for an instant."""
    for pause_s in (0.01, 0.03, 0.1):
        try:
            return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(pause_s)
    return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_locked(layout: Layout) -> bool:
    """Tell whether a writer has the directory open at this moment."""
    try:
        fd = open_plain(layout.lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False
