"""What a files archive says of itself and of its paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nodevms.archive import Record


@dataclass(frozen=True, slots=True)
class DatArchiveInfo:
    """What an archive is.

    Attributes:
        url: ``dat://`` and the published drive's key.
        title: As the operator named it.
        version: The filesVersion that is shown.
        log_length: How many entries the call log had when this was asked; None for a checkout.
    """

    url: str
    title: str
    version: int
    log_length: int | None = None

    @property
    def key(self) -> str:
        """The published drive's key in hex."""
        return self.url.removeprefix("dat://")


@dataclass(frozen=True, slots=True)
class FileStat:
    """What a path has.

    Attributes:
        is_folder: Whether it is a folder; a file otherwise.
        size: Bytes of the content; 0 for a folder.
        sha256: SHA-256 of the content in hex; zeros for a folder.
        mtime_ms: When it was put, in ms since 1970; 0 for the root.
    """

    is_folder: bool
    size: int
    sha256: str
    mtime_ms: int


def stat_of(record: Record) -> FileStat:
    """Return what a record says to readers."""
    is_folder = record.kind == "folder"
    return FileStat(is_folder, record.size, record.sha256.hex(), record.mtime_ms)


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file's content as it was at one version, for reading a piece at a time.

    Attributes:
        stat: What the path had.
        pieces: Called with the first byte wanted and the byte to stop before, it yields the bytes
            between, at most 65,536 at a time. Each is checked against the content feed's tree, and
            with the whole content asked for, the last piece only comes when the SHA-256 is right.
            It raises StorageError, code `content-damaged` or the feed's own.
    """

    stat: FileStat
    pieces: Callable[[int, int], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class FolderPage:
    """Some of what is in a folder, in the order of the names' UTF-8 bytes.

    Attributes:
        children: (name, what it has).
        after: The name to go on after; None if this is the end.
    """

    children: list[tuple[str, FileStat]]
    after: str | None
