"""The folder that a clone writes into, reached by names and never through links.

Others may put anything there at any time: a link in the place of a folder, a pipe in that of a
file. So every step from the root goes through the descriptor of the folder above and follows no
link, and nothing is ever written over except what the caller has just looked at.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from nodevms.dat.clone.names import Names
from nodevms.errors import StorageError

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ABSENT: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_IN_THE_WAY: Final = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR})
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
)
_ASIDE_MAX: Final = 10_000


class ObstructedError(Exception):
    """Something that is no folder stands where one must be, or anything where a file must be.

    Attributes:
        names: Where.
    """

    def __init__(self, names: Names) -> None:
        super().__init__("/".join(names))
        self.names = names


class Folder:
    """A folder and all below it.

    Args:
        fd: A descriptor of the folder; this object closes it.
        path: Its name, for errors.
    """

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self.path = path

    @classmethod
    def open(cls, path: Path, *, follow: bool = False) -> Folder:
        """Open a folder.

        Args:
            path: Its name.
            follow: The last name may be a link, as in what a user named.

        Raises:
            OSError: It cannot be opened, or is none.
        """
        return cls(os.open(path, _FOLDER & ~os.O_NOFOLLOW if follow else _FOLDER), path)

    @property
    def fd(self) -> int:
        """Its descriptor."""
        return self._fd

    def close(self) -> None:
        """Close the folder. Closing twice does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def sub(self, name: str) -> Folder:
        """Open a folder in it, made private to the user if it is not there.

        Raises:
            OSError: It cannot be made, is no folder, or belongs to somebody else.
        """
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=self._fd)
        fd = os.open(name, _FOLDER, dir_fd=self._fd)
        if os.fstat(fd).st_uid != os.geteuid():
            os.close(fd)
            raise OSError(errno.EPERM, "it belongs to somebody else", str(self.path / name))
        return Folder(fd, self.path / name)

    def look(self, names: Names) -> os.stat_result | None:
        """Return what is at a path, links not followed; None if nothing is."""
        try:
            with self._parent(names) as parent:
                return os.lstat(names[-1], dir_fd=parent)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise self._error("look at", names, error) from error

    def open_file(self, names: Names) -> int | None:
        """Open a plain file for reading; None if there is none."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            with self._parent(names) as parent:
                fd = os.open(names[-1], flags, dir_fd=parent)
        except OSError as error:
            if error.errno in _ABSENT or error.errno in {errno.ENXIO, errno.EACCES}:
                return None
            raise self._error("open", names, error) from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        return fd

    def make(self, names: Names) -> None:
        """Make a folder, and those above it.

        Raises:
            ObstructedError: Something else is there.
            StorageError: It cannot be made.
        """
        fd = os.dup(self._fd)
        try:
            for depth, name in enumerate(names, start=1):
                try:
                    with suppress(FileExistsError):
                        os.mkdir(name, dir_fd=fd)
                    inner = os.open(name, _FOLDER, dir_fd=fd)
                except OSError as error:
                    if error.errno in {errno.ENOTDIR, errno.ELOOP}:
                        raise ObstructedError(names[:depth]) from error
                    raise self._error("make", names[:depth], error) from error
                os.close(fd)
                fd = inner
        finally:
            os.close(fd)

    def place(self, parts: Folder, part: str, names: Names, *, replace: bool) -> None:
        """Move a finished file to its place, whose folder is there.

        Args:
            parts: The folder that has it.
            part: Its name there.
            names: Where it goes.
            replace: What is there may be replaced, at once. Otherwise nothing may be there, even
                if it came a moment ago.

        Raises:
            ObstructedError: Something is there, or the folder is none any more.
            StorageError: It cannot be moved.
        """
        try:
            with self._parent(names) as parent:
                if not replace:
                    try:
                        os.link(part, names[-1], src_dir_fd=parts.fd, dst_dir_fd=parent)
                    except OSError as error:
                        if error.errno not in _NO_LINKS:
                            raise
                    else:
                        os.unlink(part, dir_fd=parts.fd)
                        return
                    if self.look(names) is not None:  # a file system without links
                        raise ObstructedError(names)
                os.rename(part, names[-1], src_dir_fd=parts.fd, dst_dir_fd=parent)
        except OSError as error:
            if error.errno in _ABSENT or error.errno in _IN_THE_WAY:
                raise ObstructedError(names) from error
            raise self._error("write", names, error) from error

    def remove_file(self, names: Names) -> None:
        """Remove a file; it is no error if it is not there."""
        try:
            with self._parent(names) as parent:
                os.unlink(names[-1], dir_fd=parent)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise self._error("remove", names, error) from error

    def remove_folder(self, names: Names) -> bool:
        """Remove a folder if it is empty; tell whether it was removed."""
        try:
            with self._parent(names) as parent:
                os.rmdir(names[-1], dir_fd=parent)
        except OSError as error:
            if error.errno in _ABSENT or error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
                return False
            raise self._error("remove", names, error) from error
        return True

    def put_aside(self, names: Names) -> Names:
        """Give whatever is at a path another name beside it, and return that.

        Raises:
            StorageError: It cannot be renamed.
        """
        for number in range(1, _ASIDE_MAX):
            suffix = f".local-{number}"
            stem = names[-1].encode()[: 255 - len(suffix)].decode(errors="ignore")
            target = (*names[:-1], stem + suffix)
            if self.look(target) is not None:
                continue
            try:
                with self._parent(names) as parent:
                    os.rename(names[-1], target[-1], src_dir_fd=parent, dst_dir_fd=parent)
            except OSError as error:
                raise self._error("put aside", names, error) from error
            return target
        raise StorageError(f"{'/'.join(names)} was put aside too often.", code="clone-aside")

    def sync(self, names: Names) -> None:
        """Return when the names in a folder are on the disk."""
        fd = os.dup(self._fd)
        try:
            for name in names:
                inner = os.open(name, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = inner
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise self._error("sync", names, error) from error
        finally:
            os.close(fd)

    @contextmanager
    def _parent(self, names: Names) -> Iterator[int]:
        """Open the folder above a path for as long as the block runs."""
        fd = os.dup(self._fd)
        try:
            for name in names[:-1]:
                inner = os.open(name, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    def _error(self, action: str, names: Names, error: OSError) -> StorageError:
        where = self.path.joinpath(*names)
        return StorageError(f"Could not {action} {where}: {error.strerror}.", code="clone-storage")
