"""A cloned folder with its own folder ``.dat``: opened, checked and locked.

The layout is that of the `dat` program for a cloned drive: ``metadata.*`` and ``content.*`` without
``content.data``, and ``metadata.latest``, the version in 8 bytes. What this program keeps beside
them is ``nodevms.db`` and ``parts``.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final

from nodevms.dat.clone.content_data import CloneFiles, ContentData
from nodevms.dat.clone.folder import Folder
from nodevms.dat.clone.header import NotADriveError
from nodevms.dat.clone.ledger import LEDGER, Ledger
from nodevms.dat.clone.names import OWN_FOLDER
from nodevms.dat.clone.parts import Parts
from nodevms.errors import StorageError, UsageError
from nodevms.feed import PartialFeed, dat_url

LATEST: Final = "metadata.latest"
_PARTS: Final = "parts"


class ClonePlace:
    """An open clone. A context manager that closes it.

    Attributes:
        folder: The cloned folder.
        own: ``.dat`` in it.
        parts: The files that are being put together.
        ledger: The clone's record.
        files: The file system for both feeds, whose directory is `own`.
        folds: The file system takes names that differ in case for one.
        key: The drive's key.
    """

    def __init__(self, folder: Folder, own: Folder, parts: Parts, ledger: Ledger, key: bytes):
        """Use :meth:`open` instead."""
        self.folder = folder
        self.own = own
        self.parts = parts
        self.ledger = ledger
        self.key = key
        self.content_data = ContentData(ledger, parts, folder)
        self.files = CloneFiles(own, self.content_data)
        # The record is there under one name; where it is found under another, case does not count.
        self.folds = own.look((LEDGER.upper(),)) is not None

    @classmethod
    def open(cls, path: Path, key: bytes) -> ClonePlace:
        """Open the clone of a drive, or begin one in a folder that is new or empty.

        Args:
            path: The folder.
            key: The drive's key.

        Raises:
            UsageError: The folder holds other things, or another drive's clone, or another process
                works on it. Nothing was changed.
            StorageError: It cannot be made or opened.
        """
        try:
            _refuse_other_things(path)
            path.mkdir(parents=True, exist_ok=True)
            folder = Folder.open(path, follow=True)
        except (NotADirectoryError, FileExistsError):
            raise UsageError(f"{path} is not a folder.", code="clone-not-empty") from None
        except OSError as error:
            raise _error(path, error) from error
        opened: list[Folder | Parts | Ledger] = [folder]
        try:
            own = folder.sub(OWN_FOLDER)
            opened.append(own)
            parts = Parts(own.sub(_PARTS))
            opened.append(parts)
            ledger = Ledger(own.path)
            opened.append(ledger)
            _take_key(ledger, path, key)
            return cls(folder, own, parts, ledger, key)
        except BaseException as error:
            for one in reversed(opened):
                one.close()
            if isinstance(error, OSError):
                raise _error(path, error) from error
            raise

    @property
    def version(self) -> int | None:
        """The version that the folder has; None before it had any."""
        found = self.ledger.meta("version")
        return None if found is None else int(found)

    def feed(self, prefix: str, key: bytes) -> PartialFeed:
        """Open one of the drive's feeds, made if it is not there.

        Args:
            prefix: What its files' names begin with.
            key: Its public key.

        Raises:
            StorageError: It is damaged, or has another key.
        """
        name = (f"{prefix}key",)
        there = self.own.look(name)
        begun = there is not None and there.st_size
        make = PartialFeed.open if begun else PartialFeed.create
        return make(self.own.path, prefix, key, files=self.files)

    def free_bytes(self) -> int:
        """Return how many bytes more the disk takes, those of begun parts included."""
        begun = sum(
            os.lstat(name, dir_fd=self.parts.folder.fd).st_blocks * 512
            for name in self.parts.names()
        )
        return shutil.disk_usage(self.folder.fd).free + begun

    def write_latest(self, version: int) -> None:
        """Note the version where the `dat` program looks for it."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(LATEST, flags, 0o644, dir_fd=self.own.fd)
            with os.fdopen(fd, "wb") as file:
                file.write(version.to_bytes(8, "big"))
        except OSError as error:
            raise _error(self.own.path / LATEST, error) from error

    def close(self) -> None:
        """Close everything, and let other processes work on the clone."""
        self.parts.close()
        self.ledger.close()
        self.own.close()
        self.folder.close()

    def __enter__(self) -> ClonePlace:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(error, NotADriveError):
            self._remove()

    def _remove(self) -> None:
        """Take away what came of something that is no drive: the right URL may go here."""
        with suppress(OSError):  # the user may have put something there meanwhile
            path = self.folder.path
            shutil.rmtree(path / OWN_FOLDER)
            path.rmdir()


def _refuse_other_things(path: Path) -> None:
    """Refuse a folder that holds something and is no clone of ours."""
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        return
    if not names or os.path.lexists(path / OWN_FOLDER / LEDGER):
        return
    if names == [OWN_FOLDER] and set(os.listdir(path / OWN_FOLDER)) <= {_PARTS}:
        return  # begun, and ended before the record was made
    if OWN_FOLDER in names and (path / OWN_FOLDER / "metadata.key").exists():
        raise UsageError(
            f"{path} is a folder of the dat program.",
            code="clone-not-empty",
            hint="Name a new folder; in this one, dat sync goes on.",
        )
    raise UsageError(
        f"{path} holds other things.",
        code="clone-not-empty",
        hint="Name a folder that is new or empty, or an earlier clone of the same drive.",
    )


def _take_key(ledger: Ledger, path: Path, key: bytes) -> None:
    found = ledger.meta("drive")
    if found is None:
        ledger.set_meta("drive", key)
    elif found != key:
        raise UsageError(
            f"{path} is a clone of another drive: {dat_url(found)}",
            code="clone-of-another",
            hint="Name another folder.",
        )


def _error(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path} cannot be used for a clone: {error.strerror or error}.", code="clone-storage"
    )
