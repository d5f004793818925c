"""A new backend's directory before it is one: it appears whole or not at all.

It is made beside its place and gets its name when its first entry is on disk. In an empty
directory that is there already (a mounted volume cannot be renamed over) it is made in place, and
a mark says that it is not finished. What a crash left of either is cleared away by the next start.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from nodevms.errors import StorageError
from nodevms.vm.directory import (
    LOG_PREFIX,
    Layout,
    is_unfinished,
    mark_unfinished,
    storage_errors,
    sync_folder,
)
from nodevms.vm.errors import DirectoryError, LockedError
from nodevms.vm.writer_lock import WriterLock


class Draft:
    """A place for a new backend, with the lock of its one writer held.

    Attributes:
        layout: Where it is made.
        lock: The lock, for the one who makes it.
    """

    def __init__(self, target: Path) -> None:
        """Find the place.

        Raises:
            LockedError: Somebody else makes a backend there.
            StorageError: It cannot be written.
        """
        self._target = target
        self._in_place = target.exists()
        if self._in_place:
            self.layout = Layout(target)
            self.lock = WriterLock(self.layout)
            self._begin_in_place()
            return
        _make_parent(target)
        _sweep(target)
        self.layout = Layout(_beside(target, secrets.token_hex(8)))
        with storage_errors(self.layout.root):
            self.layout.root.mkdir()
        self.lock = WriterLock(self.layout)

    def finish(self) -> Layout:
        """Give the directory its name; ``backend.json`` stands in it already.

        Raises:
            DirectoryError: Somebody else made a backend there meanwhile.
            StorageError: It cannot be renamed.
        """
        if self._in_place:
            return self.layout
        try:
            self.layout.root.rename(self._target)
        except OSError as error:
            if self._target.exists():
                raise DirectoryError(
                    f"{self._target} was made by somebody else meanwhile",
                    code="directory-taken",
                    hint="Start again.",
                ) from error
            raise StorageError(
                f"{self._target} cannot be made: {error.strerror}", code="not-writable"
            ) from error
        self.layout = Layout(self._target)
        with storage_errors(self._target):
            sync_folder(self._target.parent)
        return self.layout

    def remove(self) -> None:
        """Remove everything that was made, as far as that is possible."""
        if self._in_place:
            with suppress(OSError):  # what is being removed is no backend any more
                self.layout.description.rename(self.layout.unfinished)
            _clear(self.layout)
            self.layout.unfinished.unlink(missing_ok=True)
            self.layout.lock.unlink(missing_ok=True)
        else:
            shutil.rmtree(self.layout.root, ignore_errors=True)

    def _begin_in_place(self) -> None:
        try:
            if self.layout.description.exists():
                raise LockedError(f"{self._target} was begun by another process meanwhile")
            if is_unfinished(self.layout):
                _clear(self.layout)
            else:
                mark_unfinished(self.layout)
        except BaseException:
            self.lock.release()
            raise


def _make_parent(target: Path) -> None:
    parent = target.parent
    hint = "Choose a directory that you may write with --dir."
    missing = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for folder in missing:
            sync_folder(folder.parent)
    except FileExistsError as error:
        raise StorageError(
            f"{parent} is not a directory", code="not-writable", hint=hint
        ) from error
    except OSError as error:
        raise StorageError(
            f"{parent} cannot be made: {error.strerror}", code="not-writable", hint=hint
        ) from error
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StorageError(f"{parent} is not writable", code="not-writable", hint=hint)


def _beside(target: Path, unique: str) -> Path:
    return target.with_name(f".{target.name}.{unique}.new")


def _sweep(target: Path) -> None:
    """Remove the drafts of this directory that nobody works on any more."""
    form = re.compile(re.escape(f".{target.name}.") + r"[0-9a-f]{16}\.new")
    for path in target.parent.iterdir():
        layout = Layout(path)
        if form.fullmatch(path.name) and layout.lock.is_file():
            try:
                lock = WriterLock(layout)
            except StorageError:
                continue
            shutil.rmtree(path, ignore_errors=True)
            lock.release()


def _clear(layout: Layout) -> None:
    """Remove what a creation makes, and nothing else."""
    shutil.rmtree(layout.root / "files", ignore_errors=True)
    for pattern in (f"{LOG_PREFIX}*", f"{layout.state.name}*", layout.journal.name):
        for path in layout.root.glob(pattern):
            path.unlink(missing_ok=True)
