"""What a clone knows of its files: which it wants, which it holds, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from nodevms.dat.clone.names import Names


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """A file's place in the content feed.

    Attributes:
        byte_offset: Bytes of the feed before it.
        block: Its first block.
        blocks: How many blocks it has.
        size: How many bytes.
    """

    byte_offset: int
    block: int
    blocks: int
    size: int

    @property
    def end(self) -> int:
        """The block after its last."""
        return self.block + self.blocks


@dataclass(frozen=True, slots=True)
class Wanted:
    """A path of the version that a clone is to hold.

    Attributes:
        path: Its names, joined by slashes, without one at the beginning.
        range: Where a file's content is; None for a folder.
        executable: Its owner may run it.
        mtime_ms: When it was last changed, in milliseconds since 1970, as the drive says.
    """

    path: str
    range: Range | None
    executable: bool = False
    mtime_ms: int = 0

    @property
    def names(self) -> Names:
        """The path's names."""
        return tuple(self.path.split("/"))


@dataclass(frozen=True, slots=True)
class Held:
    """A path that the clone wrote.

    Attributes:
        path: As that of :class:`Wanted`.
        range: As that of :class:`Wanted`.
        executable: As that of :class:`Wanted`.
        mtime_ms: As that of :class:`Wanted`: what the drive says, not what the disk has.
        mtime_ns: The file's modification time on the disk after it was written, nanoseconds.
        inode: The file's number on the disk.
    """

    path: str
    range: Range | None
    executable: bool = False
    mtime_ms: int = 0
    mtime_ns: int = 0
    inode: int = 0

    @property
    def names(self) -> Names:
        """The path's names."""
        return tuple(self.path.split("/"))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A path of the drive that was not written.

    Attributes:
        path: As that of :class:`Wanted`.
        reason: Why, for people.
        false: The drive contradicts itself there; otherwise this machine cannot hold it.
    """

    path: str
    reason: str
    false: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a clone is.

    Attributes:
        stage: ``listing`` while the version is read, ``files`` while its files are fetched.
        files: Files in place of `files_total`; while listing, those found so far.
        bytes: Bytes here of `bytes_total`.
    """

    stage: Literal["listing", "files"]
    files: int
    files_total: int
    bytes: int
    bytes_total: int


OnProgress = Callable[[Progress], None]


@dataclass(slots=True)
class Result:
    """What came of bringing a folder to one version.

    Attributes:
        version: The drive's version that the folder holds.
        files: Files that the version has here.
        bytes: Their size in all.
        written: Files that were written now.
        downloaded: Bytes of content that came from others for that.
        deleted: Files and folders that were deleted because the version has them no more.
        changed: Files that somebody else changed; they were left as they are.
        kept: Where what stood in the way was moved to, by its path before.
        skipped: What was not written, and why.
    """

    version: int
    files: int = 0
    bytes: int = 0
    written: int = 0
    downloaded: int = 0
    deleted: int = 0
    changed: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
