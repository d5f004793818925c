"""Bringing the index of the files up to the log, from which it is derived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nodevms.archive import State, remove_index
from nodevms.archive.index_file import DAMAGED
from nodevms.errors import StorageError
from nodevms.feed import Feed
from nodevms.vm.directory import Layout
from nodevms.vm.entries import Entry, Init, Upgrade, decode, time_of
from nodevms.vm.entry_changes import changes_of

GATHERED_MAX: Final = 10_000
"""Entries and changes that are applied before they are written; about 2 KiB of memory a change."""

Progress = Callable[[int, int], None]
"""Called with (entries done, entries in all)."""


def open_index(layout: Layout, log: Feed, progress: Progress | None) -> State:
    """Open the index and apply the entries that it lacks; a damaged one is made again.

    Raises:
        StorageError: It cannot be read or written, or the log does not lead to the state roots
            that it names (fatal).
    """
    try:
        return _current(layout, log, progress)
    except StorageError as error:
        if error.code != DAMAGED:
            raise
        remove_index(layout.state)
        return _current(layout, log, progress)


def apply_log(state: State, log: Feed, progress: Progress | None = None) -> None:
    """Apply the entries that a state lacks, in memory that does not grow with their number.

    Raises:
        StorageError: As :func:`apply_entry`, or the state cannot be written.
    """
    gathered = 0
    for seq, block in enumerate(log.get_many(state.seq, log.length), state.seq):
        gathered += 1 + apply_entry(state, seq, decode(block))
        if gathered >= GATHERED_MAX:
            state.flush(seq + 1)
            gathered = 0
            if progress is not None:
                progress(seq + 1, log.length)
    state.flush(log.length)


def apply_entry(state: State, seq: int, entry: Entry) -> int:
    """Make an entry's changes to a state that reflects all entries before it.

    Returns:
        How many changes it made.

    Raises:
        InvalidChangesError: They do not follow from it.
        StorageError: They do not lead to the state root that the entry names.
    """
    changes = changes_of(entry)
    root = state.apply(seq + 1, changes, time_of(entry))
    if isinstance(entry, Init | Upgrade):
        state.set_mark(seq)
    wanted = entry.result.filesRoot
    if isinstance(wanted, str) and root.hex() != wanted:
        raise StorageError(
            f"entry {seq} of the call log does not lead to the state root that it names",
            fatal=True,
            code="log-damaged",
        )
    return len(changes)


def _current(layout: Layout, log: Feed, progress: Progress | None) -> State:
    state = _opened(layout)
    try:
        if not _agrees(state, log):
            state.reset()
        apply_log(state, log, progress)
    except BaseException:
        state.close()
        raise
    return state


def _opened(layout: Layout) -> State:
    try:
        return State.open(layout.state)
    except StorageError as error:
        if error.code == DAMAGED:
            raise
        raise StorageError(
            f"{layout.state}: {error}",
            code=error.code,
            hint="It is derived from the call log: remove it, and it is made again.",
        ) from error


def _agrees(state: State, log: Feed) -> bool:
    """Tell whether the index is what the log's entries up to its own length lead to."""
    seq, mark = state.seq, state.mark
    if seq == 0:
        return True
    if seq > log.length or mark >= seq:
        return False
    if not isinstance(decode(log.get(mark)), Init | Upgrade):
        return False
    result = decode(log.get(seq - 1)).result
    return state.version == result.filesVersion and (
        not isinstance(result.filesRoot, str) or result.filesRoot == state.root.hex()
    )
