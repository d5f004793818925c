"""The temporary place of throw-away backends, and what crashed programs left of theirs."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from nodevms.errors import StorageError
from nodevms.vm.directory import Layout
from nodevms.vm.writer_lock import WriterLock

PREFIX: Final = "nodevms-dev-"
_NAME: Final = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}")
_NAMES_MAX: Final = 100_000
_ATTEMPTS_MAX: Final = 5


class TemporaryPlace:
    """A folder of our own, readable by its user alone, for as long as the context lasts.

    It is locked while it is used. Entering the context removes those of this user that nobody
    holds any more.

    Args:
        parent: Where to make it: the system's folder for temporary files.

    Attributes:
        root: The folder.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._count = 0

    def __enter__(self) -> Self:
        """Make it.

        Raises:
            StorageError: It cannot be made.
        """
        _sweep(self._parent)
        for _ in range(_ATTEMPTS_MAX):
            try:
                self.root = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._parent))
            except OSError as error:
                raise _unusable(self._parent, error.strerror) from error
            try:
                self._lock = WriterLock(Layout(self.root))
            except StorageError:
                if self.root.exists():
                    raise
                continue  # somebody's sweep took it before it was locked
            return self
        raise _unusable(self._parent, "it vanishes")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self._lock.release()

    def new(self) -> Path:
        """Return a path in it where nothing is yet."""
        self._count += 1
        return self.root / str(self._count)

    def discard(self, path: Path) -> None:
        """Remove a backend that is closed."""
        shutil.rmtree(path, ignore_errors=True)


def _sweep(parent: Path) -> None:
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in islice(entries, _NAMES_MAX):
            with suppress(OSError):
                if _NAME.fullmatch(entry.name) and _is_ours(entry):
                    _remove_left(Path(entry.path))


def _is_ours(entry: os.DirEntry[str]) -> bool:
    return (
        entry.is_dir(follow_symlinks=False)
        and entry.stat(follow_symlinks=False).st_uid == os.getuid()
    )


def _remove_left(path: Path) -> None:
    """Remove a place that no living program holds."""
    layout = Layout(path)
    if not layout.lock.is_file():
        path.rmdir()  # killed at its first step, or just being made: then it is made again
        return
    try:
        lock = WriterLock(layout)
    except StorageError:
        return
    shutil.rmtree(path, ignore_errors=True)
    lock.release()


def _unusable(parent: Path, why: str | None) -> StorageError:
    return StorageError(
        f"no temporary folder can be made in {parent}: {why}",
        code="not-writable",
        hint="TMPDIR chooses another place.",
    )
