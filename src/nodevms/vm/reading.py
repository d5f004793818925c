"""The files of a backend's directory for those who only read them."""

from __future__ import annotations

from nodevms.archive import State
from nodevms.errors import StorageError
from nodevms.feed import Feed, FeedDamagedError, FileSystem
from nodevms.feed.files import OSFiles
from nodevms.vm.directory import Layout
from nodevms.vm.entries import Init, decode
from nodevms.vm.indexing import apply_log
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


def state_of(log: Feed) -> tuple[State, str]:
    """Return the state that a log leads to, in a temporary file, and the archive's title.

    Raises:
        StorageError: The log does not begin as a backend's does.
        ProvedFalseError: The log's entries do not follow from each other.
    """
    if log.length == 0 or not isinstance(first := decode(log.get(0)), Init):
        raise StorageError("the call log does not begin with an init entry", code="log-empty")
    state = State.open(None)
    try:
        apply_log(state, log)
    except BaseException:
        state.close()
        raise
    return state, first.title
