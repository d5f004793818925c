"""A backend's directory: what lies where, and whose it is.

``backend.json`` says that the directory is ours, in which format, and for which keys;
``call-log.*`` is the log, ``files/metadata`` and ``files/content`` are the drive's two feeds,
``journal`` is in front of log and contents while a writer runs, ``state.db`` is the derived index,
``lock`` is held by the writer. Without ``backend.json`` a directory may only be empty, or hold
``backend.json.new``: there a backend was begun and not finished, and nothing in it was ever
acknowledged.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from nodevms.errors import StorageError
from nodevms.feed import Journal, read_start
from nodevms.feed.sleep import feed_path
from nodevms.vm.errors import DirectoryError

DIRECTORY_FORMAT: Final = 1
DESCRIPTION_BYTES_MAX: Final = 65536
LOG_PREFIX: Final = "call-log."
LOCK_BYTES_MAX: Final = 32
_LOCK_TEXT: Final = re.compile(rb"(\d{1,20}\n)?")
_UNFINISHED: Final = b"A backend was begun here and not finished.\n"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of a backend's directory."""

    root: Path

    @property
    def metadata(self) -> Path:
        """The folder of the drive's metadata feed."""
        return self.root / "files" / "metadata"

    @property
    def content(self) -> Path:
        """The folder of the drive's content feed."""
        return self.root / "files" / "content"

    @property
    def state(self) -> Path:
        """The index of the files, derived from the log."""
        return self.root / "state.db"

    @property
    def journal(self) -> Path:
        """What makes the batches of log and contents last; empty unless a writer runs or died."""
        return self.root / "journal"

    def open_journal(self) -> Journal:
        """Return the journal in front of log and contents, neither redone nor begun."""
        feeds = [(self.content, ""), (self.root, LOG_PREFIX)]
        return Journal(
            self.journal,
            [feed_path(*feed, name) for feed in feeds for name in ("data", "tree", "signatures")],
            derived=[feed_path(*feed, "bitfield") for feed in feeds],
        )

    @property
    def evidence(self) -> Path:
        """The folder for what proves that a feed has two histories."""
        return self.root / "evidence"

    @property
    def lock(self) -> Path:
        """The file that the writer holds locked."""
        return self.root / "lock"

    @property
    def description(self) -> Path:
        """The file that says whose directory this is."""
        return self.root / "backend.json"

    @property
    def unfinished(self) -> Path:
        """What stands in the place of ``description`` until a new backend is whole."""
        return self.root / "backend.json.new"


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``backend.json``.

    Attributes:
        format: The directory's format.
        call_log: The log's public key in hex.
        files: The drive's public key in hex.
    """

    format: int
    call_log: str = ""
    files: str = ""


def write_description(layout: Layout, description: Description) -> None:
    """Write ``backend.json``, at once or not at all, and make it last.

    Raises:
        StorageError: It cannot be written.
    """
    text = msgspec.json.format(msgspec.json.encode(description), indent=2) + b"\n"
    with storage_errors(layout.root):
        _write_synced(layout.unfinished, text)
        layout.unfinished.rename(layout.description)
        sync_folder(layout.root)


def mark_unfinished(layout: Layout) -> None:
    """Say that a backend is being made in this directory, and make that last.

    Raises:
        StorageError: It cannot be written.
    """
    with storage_errors(layout.root):
        _write_synced(layout.unfinished, _UNFINISHED)
        sync_folder(layout.root)


def is_unfinished(layout: Layout) -> bool:
    """Tell whether a backend was begun in this directory and never finished."""
    return layout.unfinished.is_file() and not layout.description.exists()


def read_description(layout: Layout) -> Description | None:
    """Read ``backend.json``.

    Returns:
        What it says, or None when the directory is missing or empty.

    Raises:
        DirectoryError: The directory is not a backend's, or of a newer format.
        StorageError: It cannot be read.
    """
    try:
        data = read_start(layout.description, DESCRIPTION_BYTES_MAX)
    except (FileNotFoundError, NotADirectoryError):
        _refuse_strangers(layout.root)
        return None
    except OSError as error:
        raise StorageError(
            f"{layout.description}: {error.strerror}", code="not-readable"
        ) from error
    try:
        description = msgspec.json.decode(data, type=Description)
    except msgspec.DecodeError as error:
        raise DirectoryError(
            f"{layout.description} is damaged: {error}", code="directory-damaged"
        ) from None
    if description.format > DIRECTORY_FORMAT:
        raise DirectoryError(
            f"{layout.root} was written by a newer nodevms (directory format "
            f"{description.format}; this one knows {DIRECTORY_FORMAT})",
            code="directory-newer",
            hint="Upgrade nodevms.",
        )
    return description


def _refuse_strangers(root: Path) -> None:
    if not root.exists():
        return
    if not root.is_dir():
        raise DirectoryError(
            f"{root} is not a directory", code="directory-foreign", hint="Choose another --dir."
        )
    try:
        names = {path.name for path in islice(root.iterdir(), 2)}
        empty = not names or (names == {Layout(root).lock.name} and _is_ours(Layout(root).lock))
    except OSError as error:
        raise StorageError(f"{root}: {error.strerror}", code="not-readable") from error
    if not empty and not is_unfinished(Layout(root)):
        raise DirectoryError(
            f"{root} is not empty and holds no backend",
            code="directory-foreign",
            hint="Choose an empty or new directory with --dir.",
        )


def _is_ours(lock: Path) -> bool:
    """Tell a lock file of ours, all that a start leaves if it is killed at its first step."""
    try:
        return _LOCK_TEXT.fullmatch(read_start(lock, LOCK_BYTES_MAX + 1)) is not None
    except OSError:
        return False


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raise an OSError of the block as a StorageError about ``path``."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{error.filename or path} cannot be written: {error.strerror}", code="not-writable"
        ) from error


def _write_synced(path: Path, text: bytes) -> None:
    with path.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Make the names in a folder last through a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
