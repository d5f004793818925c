"""Whether the three feeds of a directory can be of one time, looked at before anything is changed.

Contents are synced before the entries that refer to them, and entries before the publications that
reflect them. So after a crash the log never lacks what was published, nor the contents what is
logged. Where they do, something else happened to the files, such as a backup of a part of them:
going on would sign other entries at positions that others have seen.
"""

from __future__ import annotations

from bisect import bisect_left
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from nodevms.archive import Publisher
from nodevms.errors import CouldNotCheckError, ProvedFalseError, StorageError
from nodevms.feed import Feed, FileSystem
from nodevms.feed.opening import open_files
from nodevms.feed.recovery import longest_prefix
from nodevms.feed.sleep import io_errors
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.entries import ENTRY_BYTES_MAX, decode, time_of
from nodevms.vm.entry_changes import changes_of
from nodevms.vm.worker import BATCH_BYTES_MAX, BATCH_CALLS_MAX

ENTRIES_READ: Final = 2 * BATCH_CALLS_MAX
BYTES_READ: Final = 2 * (BATCH_BYTES_MAX + ENTRY_BYTES_MAX)
"""What one batch of contents belongs to is among so many entries, and so many of their bytes."""


def check_consistency(layout: Layout) -> None:
    """Refuse a directory whose feeds no crash can have left like this.

    Raises:
        StorageError: Fatal; the sentence says what is missing. Nothing was changed.
    """
    places = ((layout.root, LOG_PREFIX), (layout.metadata, ""), (layout.content, ""))
    with io_errors("read", layout.journal):
        files = layout.open_journal().redone()
    log_length, _, content_length = (_kept_length(files, *place) for place in places)
    with ExitStack() as opened:
        log, metadata, content = (
            opened.enter_context(Feed.open(folder, prefix, writable=False, files=files))
            for folder, prefix in places
        )
        _check_published(log_length, drive_publisher(metadata, content))
        _check_contents(log, content_length)


def drive_publisher(metadata: Feed, content: Feed) -> Publisher:
    """Return the publisher of a drive.

    Raises:
        StorageError: Fatal: it is not the drive of a backend, or damaged.
    """
    try:
        return Publisher(metadata, content)
    except (CouldNotCheckError, ProvedFalseError) as error:
        raise _damaged(f"the published files are damaged: {error}") from error


def _kept_length(file_system: FileSystem, folder: Path, prefix: str) -> int:
    """Return how many blocks a writer would keep of a feed; it refuses what no crash explains."""
    files, key, _ = open_files(file_system, folder, prefix, writable=False)
    try:
        batch = longest_prefix(files, key)
    finally:
        files.close()
    return 0 if batch is None else batch.end


def _check_published(log_length: int, publisher: Publisher) -> None:
    if publisher.last_marker() > log_length:
        raise _damaged(
            f"the call log has lost entries: it has {log_length}, and the published files "
            f"reflect {publisher.last_marker()}"
        )


def _check_contents(log: Feed, content_length: int) -> None:
    first = bisect_left(
        range(log.length),
        log.byte_length - BYTES_READ,
        lo=max(0, log.length - ENTRIES_READ),
        key=log.byte_offset,
    )
    for seq, block in enumerate(log.get_many(first, log.length), first):
        if b'"block":' not in block:
            continue
        entry = decode(block)
        for change in changes_of(entry):
            record = change.record(time_of(entry))
            if record and record.blocks and record.block + record.blocks > content_length:
                raise _damaged(
                    f"the contents of files are lost: entry {seq} of the call log refers to "
                    f"block {record.block} of {content_length}"
                )


def _damaged(sentence: str) -> StorageError:
    return StorageError(
        sentence,
        fatal=True,
        code="directory-damaged",
        hint="Keep a copy of the directory, then restore all of it from a backup.",
    )
