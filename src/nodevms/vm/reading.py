"""The files of a backend's directory for those who only read them."""

from __future__ import annotations

from nodevms.feed import FeedDamagedError, FileSystem
from nodevms.feed.files import OSFiles
from nodevms.vm.directory import Layout
from nodevms.vm.writer_lock import is_locked


def readable_files(layout: Layout) -> FileSystem:
    """Return the files, with the newest writes that a crash may have left in the journal alone.

    Raises:
        StorageError: The journal is damaged.
        OSError: The journal cannot be read.
    """
    try:
        return layout.open_journal().redone()
    except FeedDamagedError:
        if is_locked(layout):  # it began anew while we read it, so the files have everything
            return OSFiles()
        raise
