"""How much of a copy of a feed is whole: the part that can be read and checked as a feed.

A download sets the bits of blocks after it has synced them, so what they say is there can be read,
also while the download goes on in another process.
"""

from __future__ import annotations

from pathlib import Path

from nodevms.feed.files import FileSystem, OSFiles
from nodevms.feed.holes import HoledBitfield
from nodevms.feed.sleep import FeedFiles, SleepFile, feed_path


def whole_length(directory: Path, prefix: str, *, files: FileSystem | None = None) -> int | None:
    """Return the longest signed length below which no block is missing.

    Whether the signature and the blocks are right is not looked at.

    Args:
        directory: Where the feed's files are.
        prefix: What their names begin with.
        files: The file system; that of the operating system by default.

    Returns:
        The length, 0 if there is no such part; None if there is no bitfield, so that only the other
        files can tell.

    Raises:
        StorageError: A file is missing or cannot be read.
    """
    file_system = files or OSFiles()
    path = feed_path(directory, prefix, "bitfield")
    if not path.exists():
        return None
    feed_files = FeedFiles(file_system, directory, prefix)
    try:
        file = SleepFile(file_system, path, writable=False, create=False)
        try:
            signed = feed_files.signed_length()
            hole = next(HoledBitfield(file).missing(0, signed), None)
            return signed if hole is None else feed_files.signed_length(below=hole[0] + 1)
        finally:
            file.close()
    finally:
        feed_files.close()
