"""From the nodes of a version to the paths that a clone is to have.

The drive's author is not trusted. A path whose stat contradicts itself, or whose content overlaps
another file's, is left out as false; one that this machine cannot hold is left out with the reason.
Everything else is cloned: one bad file costs nobody the others.
"""

from __future__ import annotations

import stat as unix
from typing import TYPE_CHECKING, Final

from nodevms.archive import BadDriveError
from nodevms.archive.messages import Stat
from nodevms.dat.clone.ledger import OF_RANGE, RANGE_COLUMNS
from nodevms.dat.clone.names import folded, unwritable
from nodevms.dat.clone.records import Range, Skipped
from nodevms.errors import CouldNotCheckError
from nodevms.feed import BLOCK_BYTES_MAX

if TYPE_CHECKING:
    from nodevms.archive.tree_node import TreeNode
    from nodevms.dat.clone.ledger import Ledger

ENTRIES_MAX: Final = 5_000_000
_PARENTS_MAX: Final = 100_000


class Listing:
    """Fills the ledger's `wanted` and `skipped`. Its caller holds a transaction.

    Args:
        ledger: The clone's record.
        folds: The folder's file system takes names that differ in case for one.
        entries_max: The most files and folders that a clone may have.
    """

    def __init__(self, ledger: Ledger, *, folds: bool, entries_max: int = ENTRIES_MAX) -> None:
        self._ledger = ledger
        self._folds = folds
        self._entries_max = entries_max
        self._parents: set[str] = set()
        self.entries = 0
        ledger.rows("DELETE FROM wanted")
        ledger.rows("DELETE FROM skipped")

    def add(self, node: TreeNode) -> None:
        """Take one path.

        Raises:
            CouldNotCheckError: There are more than a clone may have.
        """
        path = "/".join(node.names)
        reason = unwritable(node.names)
        if reason is not None:
            if node.names:
                self._skip(path, reason)
            return
        try:
            stat = Stat.decode(node.value or b"", seq=node.seq)
            place = None if stat.is_folder else _range_of(stat, node.seq)
        except BadDriveError as error:
            self._skip(path, str(error), false=True)
            return
        if not self._add_parents(node.names):
            self._skip(path, "the folder that it is in cannot be written")
        elif place is None:
            self._add_folder(path)
        else:
            self._add_file(path, place, stat)

    def finish(self) -> None:
        """Leave out the files whose contents overlap without being the same."""
        end = block_end = 0
        before: tuple[int, ...] = ()
        found = self._ledger.rows(
            f"SELECT DISTINCT {RANGE_COLUMNS} FROM wanted WHERE size > 0 ORDER BY 1, 2, 3, 4"  # noqa: S608
        )
        for place in found:
            byte_offset, block, blocks, size = place
            if place != before and (byte_offset < end or block < block_end):
                self._drop(place, "its content overlaps another file's")
                continue
            before, end, block_end = place, byte_offset + size, block + blocks

    def _add_parents(self, names: tuple[str, ...]) -> bool:
        for depth in range(1, len(names)):
            parent = "/".join(names[:depth])
            if parent in self._parents:
                continue
            if not self._add_folder(parent):
                return False
            if len(self._parents) < _PARENTS_MAX:
                self._parents.add(parent)
        return True

    def _add_folder(self, path: str) -> bool:
        found = self._ledger.rows("SELECT byte_offset FROM wanted WHERE path = ?", (path,))
        if found and found[0][0] is None:
            return True
        if found:
            self._ledger.rows("DELETE FROM wanted WHERE path = ?", (path,))
            self._skip(path, "there are files below it, as if it were a folder")
        return self._insert(path, (None, None, None, None), executable=False, mtime_ms=0)

    def _add_file(self, path: str, place: Range, stat: Stat) -> None:
        if self._ledger.rows("SELECT 1 FROM wanted WHERE path = ?", (path,)):
            self._skip(path, "there are files below it, as if it were a folder")
            return
        numbers = (place.byte_offset, place.block, place.blocks, place.size)
        executable = bool(stat.mode & unix.S_IXUSR)
        self._insert(path, numbers, executable=executable, mtime_ms=stat.mtime_ms)

    def _insert(
        self, path: str, numbers: tuple[int | None, ...], *, executable: bool, mtime_ms: int
    ) -> bool:
        key = "/".join(map(folded, path.split("/"))) if self._folds else None
        if key is not None:
            other = self._ledger.rows("SELECT path FROM wanted WHERE folded = ?", (key,))
            if other:
                self._skip(path, f"here its name is the same as that of {other[0][0]}")
                return False
        self._count()
        self._ledger.rows(
            "INSERT INTO wanted VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (path, *numbers, executable, mtime_ms, key),
        )
        return True

    def _count(self) -> None:
        self.entries += 1
        if self.entries > self._entries_max:
            raise CouldNotCheckError(
                f"The drive has more than {self._entries_max:,} files and folders.",
                code="ceiling",
            )

    def _skip(self, path: str, reason: str, *, false: bool = False) -> None:
        self._count()
        skipped = Skipped(path, reason, false)
        self._ledger.rows(
            "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?)",
            (skipped.path, skipped.reason, skipped.false),
        )

    def _drop(self, place: tuple[int, ...], reason: str) -> None:
        drop_range(self._ledger, Range(*place), reason)


def drop_range(ledger: Ledger, place: Range, reason: str, *, false: bool = True) -> None:
    """Want no file with this content any more.

    Args:
        ledger: The clone's record.
        place: The content.
        reason: Why, for people.
        false: The drive contradicts itself there.
    """
    numbers = (place.byte_offset, place.block, place.blocks, place.size)
    ledger.rows(
        f"INSERT OR REPLACE INTO skipped SELECT path, ?, ? FROM wanted WHERE {OF_RANGE}",  # noqa: S608
        (reason, false, *numbers),
    )
    ledger.rows(f"DELETE FROM wanted WHERE {OF_RANGE}", numbers)  # noqa: S608


def _range_of(stat: Stat, seq: int) -> Range:
    if stat.mode and unix.S_IFMT(stat.mode) not in {0, unix.S_IFREG}:
        raise BadDriveError("it is neither a file nor a folder", seq=seq)
    if not stat.blocks <= stat.size <= stat.blocks * BLOCK_BYTES_MAX:
        raise BadDriveError(
            f"{stat.size} bytes cannot be in {stat.blocks} blocks, as its stat says", seq=seq
        )
    return Range(stat.byte_offset, stat.offset, stat.blocks, stat.size)
