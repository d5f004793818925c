"""One call's view of the files: the state, and over it what the call has changed so far.

Nothing reaches the state before `commit`; a call that is undone leaves its overlay behind. What
counts is the net effect on each path: the last write wins, writing equal bytes is a change, and a
path that was not there before and is not there afterwards has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

from nodevms.archive.contents import ContentStore, read_content
from nodevms.archive.errors import LimitExceededError
from nodevms.archive.listing import Names, merged_page
from nodevms.archive.paths import join_path, split_path
from nodevms.archive.record import ZERO_HASH, Change, PendingChange, Record, Totals, block_count
from nodevms.archive.room import NO_LIMIT, Room
from nodevms.archive.state_at import CallState

BYTES_MAX = 64 * 1024 * 1024
PATHS_MAX = 10_000
_UNPLACED = -1


@dataclass(frozen=True, slots=True)
class _Entry:
    record: Record | None
    data: bytes | None
    before: bool
    """Whether the path was there before the call."""


class Overlay:
    """What one call sees and changes.

    Paths are canonical; rules about parents and kinds are the caller's (`file_rules`).

    Args:
        state: The state before the call.
        contents: Where committed contents are.
        time_ms: The call's time, the mtime of what it puts.
        bytes_max: How many bytes of content that the call wrote may stand in the overlay at once.
        paths_max: How many paths the call may touch.
        totals_max: What all files may be together.

    Attributes:
        room: What all files are together now; to be asked before anything is put.
    """

    def __init__(
        self,
        state: CallState,
        contents: ContentStore,
        time_ms: int,
        *,
        bytes_max: int = BYTES_MAX,
        paths_max: int = PATHS_MAX,
        totals_max: Totals = NO_LIMIT,
    ) -> None:
        self._state = state
        self._contents = contents
        self._time_ms = time_ms
        self._bytes_max = bytes_max
        self._paths_max = paths_max
        self._folders: dict[str, Names[_Entry]] = {}
        self._bytes = 0
        self._paths = 0
        self.room = Room(state.totals, totals_max)
        self._exceeded: LimitExceededError | None = None

    @property
    def state(self) -> CallState:
        """The state before the call."""
        return self._state

    def get(self, path: str) -> Record | None:
        """Return what a path has now; None for nothing, and for the root.

        A record of content that is not committed yet has no meaningful `block`.
        """
        entry = self._entry(path)
        return self._state.get(path) if entry is None else entry.record

    def read(self, path: str, record: Record) -> bytes:
        """Return a file's content, given its record from `get`.

        Raises:
            StorageError: Fatal: the stored content is not what was written.
        """
        entry = self._entry(path)
        if entry is not None and entry.data is not None:
            return entry.data
        return read_content(self._contents, record)

    def children(self, folder: str) -> Iterator[tuple[str, Record]]:
        """Yield (name, record) of what is in a folder now, in the order of UTF-8 bytes.

        The folder must not be changed meanwhile.
        """
        names = self._folders.get(folder)
        if names is None:
            yield from self._state.children(folder)
            return
        after: str | None = ""
        while after is not None:
            upper = [(name, entry.record) for name, entry in names.page(after)]
            page, after = merged_page(upper, self._state.children_page(folder, after))
            yield from page

    def is_empty(self, folder: str) -> bool:
        """Tell whether nothing is in a folder now; costs time for each name that is touched."""
        names = self._folders.get(folder)
        if names is None:
            return not self._state.first_children(folder, 1)
        if any(entry.record is not None for entry in names.entries.values()):
            return False
        found = self._state.first_children(folder, len(names.entries) + 1)
        return all(name in names.entries for name, _ in found)

    def touched(self, folder: str) -> int:
        """Return how many names of a folder the call has touched, deleted ones included."""
        names = self._folders.get(folder)
        return 0 if names is None else len(names.entries)

    def put_file(self, path: str, data: bytes) -> None:
        """Write a file.

        Raises:
            LimitExceededError: The call writes or touches too much; now and ever after.
        """
        record = Record(
            "file",
            len(data),
            sha256(data).digest(),
            self._time_ms,
            _UNPLACED,
            block_count(len(data)),
        )
        self._put(path, record, data)

    def put_folder(self, path: str) -> None:
        """Make a folder.

        Raises:
            LimitExceededError: The call touches too many paths.
        """
        self._put(path, Record("folder", 0, ZERO_HASH, self._time_ms, 0, 0), None)

    def copy_file(self, source: str, record: Record, target: str) -> None:
        """Put a file's content at another path, given its record; no byte of it is moved.

        Raises:
            LimitExceededError: The call touches too many paths.
        """
        entry = self._entry(source)
        data = None if entry is None else entry.data
        copied = Record(
            "file", record.size, record.sha256, self._time_ms, record.block, record.blocks
        )
        self._put(target, copied, data)

    def delete(self, path: str) -> None:
        """Take away what is at a path.

        Raises:
            LimitExceededError: The call touches too many paths.
        """
        self._put(path, None, None)

    def check_paths(self, count: int) -> None:
        """Refuse to touch so many paths at once, before they are gathered in memory.

        Raises:
            LimitExceededError: They are too many for one call.
        """
        if count > self._paths_max:
            self._exceed_paths()

    def check_limits(self) -> None:
        """Raise again what went over a limit, if anything did; such a call is undone.

        Raises:
            LimitExceededError: Something did.
        """
        if self._exceeded is not None:
            raise self._exceeded

    def changed_paths(self) -> list[str]:
        """Return the paths with a net change, in the order of UTF-8 bytes."""
        return [path for path, _ in self._net()]

    def changes(self) -> tuple[PendingChange, ...]:
        """Return the net changes, sorted by path bytes."""
        return tuple(
            PendingChange(path, "deleted", 0, ZERO_HASH, None)
            if entry.record is None
            else PendingChange(
                path, entry.record.kind, entry.record.size, entry.record.sha256, entry.data
            )
            for path, entry in self._net()
        )

    def commit(self, length: int) -> tuple[Change, ...]:
        """Store the contents, apply the net changes to the state, and return them for the entry.

        Without changes the state is left as it is. Equal contents of one call are stored once.

        Args:
            length: The log's length with the call's entry (see `State.apply`).

        Raises:
            LimitExceededError: The call went over a limit and must be undone.
        """
        self.check_limits()
        placed: dict[bytes, int] = {}
        changes = tuple(self._place(path, entry, placed) for path, entry in self._net())
        if changes:
            self._state.apply(length, changes, self._time_ms)
        return changes

    def _place(self, path: str, entry: _Entry, placed: dict[bytes, int]) -> Change:
        record = entry.record
        if record is None:
            return Change(path, "deleted")
        if record.kind == "folder":
            return Change(path, "folder")
        block = record.block
        if entry.data is not None:
            known = placed.get(record.sha256)
            block = self._contents.append(entry.data) if known is None else known
            placed[record.sha256] = block
        return Change(path, "file", record.size, record.sha256, block)

    def _net(self) -> list[tuple[str, _Entry]]:
        if not self._folders:  # most calls; this is asked for twice a call
            return []
        return sorted(
            (
                (join_path(folder, name), entry)
                for folder, names in self._folders.items()
                for name, entry in names.entries.items()
                if entry.before or entry.record is not None
            ),
            key=lambda item: item[0],
        )

    def _entry(self, path: str) -> _Entry | None:
        parent, name = split_path(path)
        names = self._folders.get(parent)
        return None if names is None else names.entries.get(name)

    def _put(self, path: str, record: Record | None, data: bytes | None) -> None:
        self.check_limits()
        parent, name = split_path(path)
        names = self._folders.get(parent)
        if names is None:
            names = self._folders[parent] = Names()
        entry = names.entries.get(name)
        if entry is None:
            self._paths += 1
            if self._paths > self._paths_max:
                self._exceed_paths()
            old = self._state.get(path)
            before = old is not None
        else:
            old, before = entry.record, entry.before
        self._bytes += _held(data) - (0 if entry is None else _held(entry.data))
        if self._bytes > self._bytes_max:
            self._exceed(
                f"The call would write more than {self._bytes_max:,} bytes", "ERR_WRITTEN_BYTES"
            )
        self.room.change(old, record)
        names.put(name, _Entry(record, data, before))

    def _exceed_paths(self) -> NoReturn:
        self._exceed(
            f"The call would change more than {self._paths_max:,} paths", "ERR_WRITTEN_PATHS"
        )

    def _exceed(self, message: str, code: str) -> NoReturn:
        self._exceeded = LimitExceededError(message, code=code)
        raise self._exceeded


def _held(data: bytes | None) -> int:
    return 0 if data is None else len(data)
