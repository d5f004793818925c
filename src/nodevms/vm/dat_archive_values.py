"""What a files archive says of itself and of its paths."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatArchiveInfo:
    """What an archive is.

    Attributes:
        url: ``dat://`` and the published drive's key.
        title: As the operator named it.
        version: The filesVersion that is shown.
    """

    url: str
    title: str
    version: int

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
