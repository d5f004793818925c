"""Putting finished files into the folder, and taking files away, without losing anybody's work.

One rule for whatever is not exactly what this clone wrote: it is never written over and never
removed. If it stands in the way it gets another name beside its own, and the caller is told, unless
it has the very bytes that are to be put there.

A crash at any moment is made good by :meth:`Placement.settle`: what is being moved is recorded
before it is moved, and recognised afterwards by its number on the disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nodevms.dat.clone.folder import ObstructedError
from nodevms.dat.clone.ledger import HELD_COLUMNS, held_of
from nodevms.dat.clone.records import Held, Wanted
from nodevms.errors import StorageError

if TYPE_CHECKING:
    from nodevms.dat.clone.folder import Folder
    from nodevms.dat.clone.ledger import Ledger
    from nodevms.dat.clone.names import Names
    from nodevms.dat.clone.parts import Parts

_ATTEMPTS: Final = 100
_COPY_BYTES: Final = 1 << 20
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Placement:
    """Writes and removes what the clone holds.

    Args:
        ledger: The clone's record.
        folder: The cloned folder.
        parts: Where files are put together.
        clock: Seconds since 1970; no file gets a time after that.
        aside: Called with the names of what was moved out of the way, before and after.
        lost: Called with what is held no more, so that its content is no longer served.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Folder,
        parts: Parts,
        *,
        clock: Callable[[], float],
        aside: Callable[[Names, Names], None],
        lost: Callable[[Held], None],
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._parts = parts
        self._clock = clock
        self._aside = aside
        self._lost = lost

    def settle(self) -> None:
        """Finish what a crash left half done."""
        rows = self._ledger.rows(f"SELECT {HELD_COLUMNS} FROM placing")  # noqa: S608
        for held in map(held_of, rows):
            there = self._folder.look(held.names)
            if there is None or not is_as_written(held, there):
                name = self._part_with(held.inode)
                if name is None:
                    self._ledger.rows("DELETE FROM placing WHERE path = ?", (held.path,))
                    continue
                self._move(name, held)
            self._placed([held])

    def place(self, files: Iterable[tuple[Wanted, str]]) -> None:
        """Move whole, synced files to their places.

        Args:
            files: What each is, and its name among the parts.

        Raises:
            StorageError: One cannot be moved.
        """
        moves = [(name, self._dressed(wanted, name)) for wanted, name in files]
        with self._ledger.transaction(durable=True):
            for _, held in moves:
                self._ledger.insert("placing", held)
        for name, held in moves:
            self._move(name, held)
        for names in {held.names[:-1] for _, held in moves}:
            self._folder.sync(names)
        with self._ledger.transaction():
            self._placed([held for _, held in moves])

    def make_folder(self, wanted: Wanted) -> None:
        """Make a wanted folder."""
        self._clear(lambda: self._folder.make(wanted.names))
        self._ledger.insert("held", Held(wanted.path, None))

    def refresh(self, wanted: Wanted, held: Held) -> None:
        """Give a file that is in place the time and permissions of the wanted version."""
        fd = self._folder.open_file(held.names)
        if fd is None:
            return
        try:
            if not is_as_written(held, os.fstat(fd)):
                return
            if wanted.executable != held.executable:
                mode = os.fstat(fd).st_mode & 0o666
                os.fchmod(fd, mode | (mode & 0o444) >> 2 if wanted.executable else mode)
            mtime_ns = self._set_time(fd, wanted.mtime_ms)
        except OSError:
            return  # it stays as it is; its content is right
        finally:
            os.close(fd)
        self._ledger.insert(
            "held",
            replace(
                held,
                executable=wanted.executable,
                mtime_ms=wanted.mtime_ms,
                mtime_ns=mtime_ns,
            ),
        )

    def remove(self, held: Held, *, changed: bool) -> bool:
        """Hold a path no more; tell whether it was removed from the folder.

        A file that somebody changed and a folder that is not empty stay.
        """
        removed = self._remove(held, changed=changed)
        # Afterwards: what is gone and still recorded is seen to be gone the next time.
        self._ledger.rows("DELETE FROM held WHERE path = ?", (held.path,))
        return removed

    def _remove(self, held: Held, *, changed: bool) -> bool:
        if held.range is None:
            return self._folder.remove_folder(held.names)
        self._lost(held)
        there = self._folder.look(held.names)
        if there is None or changed or not is_as_written(held, there):
            return False
        self._folder.remove_file(held.names)
        return True

    def new_part(self, wanted: Wanted, name: str, source: int | None = None) -> None:
        """Make a whole part: empty, or a copy of another.

        Args:
            wanted: What it is for.
            name: Its name among the parts.
            source: The part to copy.
        """
        mode = 0o777 if wanted.executable else 0o666
        self._parts.remove(name)
        out = os.open(name, _NEW, mode, dir_fd=self._parts.folder.fd)
        try:
            if source is not None:
                self._copy(source, out)
            os.fsync(out)
        finally:
            os.close(out)

    def _copy(self, source: int, out: int) -> None:
        from_fd = os.open(str(source), _READ, dir_fd=self._parts.folder.fd)
        try:
            while data := os.read(from_fd, _COPY_BYTES):
                while data:
                    data = data[os.write(out, data) :]
        finally:
            os.close(from_fd)

    def _dressed(self, wanted: Wanted, name: str) -> Held:
        """Give a part its permissions and time; return what it will be when it is in place."""
        if name.isdecimal():
            self._parts.release(int(name))
        fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._parts.folder.fd)
        try:
            mode = os.fstat(fd).st_mode & 0o666
            os.fchmod(fd, mode | (mode & 0o444) >> 2 if wanted.executable else mode)
            mtime_ns = self._set_time(fd, wanted.mtime_ms)
            inode = os.fstat(fd).st_ino
        finally:
            os.close(fd)
        return Held(wanted.path, wanted.range, wanted.executable, wanted.mtime_ms, mtime_ns, inode)

    def _set_time(self, fd: int, mtime_ms: int) -> int:
        now_ns = int(self._clock() * 1e9)
        mtime_ns = min(mtime_ms * 1_000_000, now_ns)
        try:
            os.utime(fd, ns=(mtime_ns, mtime_ns))
        except (OSError, OverflowError):
            os.utime(fd, ns=(now_ns, now_ns))
        return os.fstat(fd).st_mtime_ns

    def _move(self, name: str, held: Held) -> None:
        def move() -> None:
            self._folder.make(held.names[:-1])
            there = self._folder.look(held.names)
            replace = there is not None and (
                self._is_ours(held.names, there) or self._is_the_same(name, held, there)
            )
            self._folder.place(self._parts.folder, name, held.names, replace=replace)

        self._clear(move)

    def _clear(self, action: Callable[[], None]) -> None:
        """Do something for which the way may have to be cleared first."""
        for _ in range(_ATTEMPTS):
            try:
                return action()
            except ObstructedError as error:
                if self._folder.look(error.names) is None:
                    continue
                self._aside(error.names, self._folder.put_aside(error.names))
        raise StorageError(f"{self._folder.path} is changed all the time.", code="clone-storage")

    def _is_ours(self, names: Names, there: os.stat_result) -> bool:
        found = self._ledger.held("/".join(names))
        return found is not None and not found[1] and is_as_written(found[0], there)

    def _is_the_same(self, name: str, held: Held, there: os.stat_result) -> bool:
        """Tell whether what is there has the very bytes that are to be put there."""
        if not stat.S_ISREG(there.st_mode) or held.range is None:
            return False
        if there.st_size != held.range.size:
            return False
        other_fd = self._folder.open_file(held.names)
        if other_fd is None:
            return False
        with (
            os.fdopen(other_fd, "rb") as other,
            os.fdopen(os.open(name, _READ, dir_fd=self._parts.folder.fd), "rb") as part,
        ):
            while data := part.read(_COPY_BYTES):
                if other.read(len(data)) != data:
                    return False
            return not other.read(1)

    def _placed(self, moved: list[Held]) -> None:
        for held in moved:
            old = self._ledger.held(held.path)
            if old is not None and old[0].range != held.range:
                self._lost(old[0])
            self._ledger.rows("DELETE FROM placing WHERE path = ?", (held.path,))
            self._ledger.insert("held", held)
            self._ledger.rows("UPDATE wanted SET needed = 0 WHERE path = ?", (held.path,))

    def _part_with(self, inode: int) -> str | None:
        for name in self._parts.names():
            if os.lstat(name, dir_fd=self._parts.folder.fd).st_ino == inode:
                return name
        return None


def is_as_written(held: Held, there: os.stat_result) -> bool:
    """Tell whether what is at a path looks exactly as it was written, without reading it."""
    if held.range is None:
        return stat.S_ISDIR(there.st_mode)
    return (
        stat.S_ISREG(there.st_mode)
        and there.st_size == held.range.size
        and there.st_mtime_ns == held.mtime_ns
        and there.st_ino == held.inode
    )
