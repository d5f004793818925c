"""What differs between a folder and the version that it is to have, and all that needs no network.

In this order: what a crash left is finished; what was written is compared with what is there; files
that only moved are copied from where they were, for as long as that is there; what the version has
not is removed; folders and empty files are made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nodevms.dat.clone.ledger import HELD_COLUMNS, SAME_RANGE, held_of
from nodevms.dat.clone.placement import is_as_written
from nodevms.dat.clone.records import Range
from nodevms.errors import LocalProtocolError, StorageError
from nodevms.feed.merkle import leaf_hash

if TYPE_CHECKING:
    from nodevms.dat.clone.checkout import ContentFeed
    from nodevms.dat.clone.place import ClonePlace
    from nodevms.dat.clone.placement import Placement
    from nodevms.dat.clone.records import Held, Result

_PAGE: Final = 512
NAMED_MAX: Final = 1000
"""How many paths a result names of each kind."""


class Comparison:
    """One comparison; :meth:`run` makes it.

    Args:
        place: The folder, with what the clone keeps.
        content: The drive's content feed.
        placement: Writes and removes.
        result: Hears what was done.
        finish: Puts the files of a range in place, whose part is whole.
        check: Called often: what it raises ends the comparison.
    """

    def __init__(
        self,
        place: ClonePlace,
        content: ContentFeed,
        placement: Placement,
        result: Result,
        *,
        finish: Callable[[Range], None],
        check: Callable[[], None],
    ) -> None:
        self._folder = place.folder
        self._parts = place.parts
        self._ledger = place.ledger
        self._content = content
        self._placement = placement
        self._result = result
        self._finish = finish
        self._check = check

    def run(self, begun: dict[str, Range]) -> None:
        """Compare, and do what can be done.

        Args:
            begun: Contents of an earlier plan whose parts are there, by the parts' names.
        """
        self._placement.settle()
        self._inspect()
        self._find_needed()
        self._refresh()
        self._drop_parts(begun)
        self._copy_moved()
        self._remove_gone()
        self._make_folders()
        self._make_empty()

    def _inspect(self) -> None:
        for held, changed in self._ledger.all_held():
            self._check()
            there = self._folder.look(held.names)
            if there is None or (held.range is None and not is_as_written(held, there)):
                self._ledger.rows("DELETE FROM held WHERE path = ?", (held.path,))
                self._forget(held.range)
            elif not is_as_written(held, there) or changed:
                self._look_into(held, there)

    def _look_into(self, held: Held, there: os.stat_result) -> None:
        """Tell by its content whether a file was changed that looks as if it was."""
        if held.range is not None and self._has_content(held, held.range):
            same = replace(held, mtime_ns=there.st_mtime_ns, inode=there.st_ino)
            self._ledger.insert("held", same)
        else:
            self._ledger.rows("UPDATE held SET changed = 1 WHERE path = ?", (held.path,))
            self._forget(held.range)

    def _has_content(self, held: Held, place: Range) -> bool:
        fd = self._folder.open_file(held.names)
        if fd is None:
            return False
        with os.fdopen(fd, "rb") as file:
            if os.fstat(fd).st_size != place.size:
                return False
            for index in range(place.block, place.end):
                self._check()
                if not self._content.holds(2 * index):
                    return False
                leaf = self._content.node(2 * index)
                if leaf_hash(file.read(leaf.size)) != leaf.hash:
                    return False
        return True

    def _find_needed(self) -> None:
        same = f"SELECT 1 FROM held h WHERE h.path = w.path AND {SAME_RANGE}"  # noqa: S608
        self._ledger.rows(
            "UPDATE wanted AS w SET needed ="  # noqa: S608
            f" (byte_offset IS NOT NULL AND NOT EXISTS ({same}))"
        )

    def _refresh(self) -> None:
        in_place = (
            "SELECT w.path FROM wanted w JOIN held h USING (path)"  # noqa: S608
            f" WHERE {SAME_RANGE} AND h.changed = ? "
        )
        changed = self._ledger.rows(in_place + "ORDER BY w.path LIMIT ?", (1, NAMED_MAX))
        self._result.changed = [path for (path,) in changed]
        others = "AND (h.executable, h.mtime_ms) IS NOT (w.executable, w.mtime_ms)"
        for (path,) in self._ledger.rows(in_place + others, (0,)):
            found = self._ledger.held(path)
            wanted = self._ledger.wanted("path = ?", (path,))
            if found is not None and wanted:
                self._placement.refresh(wanted[0], found[0])

    def _drop_parts(self, begun: dict[str, Range]) -> None:
        """Drop parts of no use, and take for missing what the feed has marked and nobody has."""
        needed = {str(place.block): place for place in self._ledger.needed_ranges()}
        there = self._parts.names()
        for name in there:
            place = begun.get(name)
            if name not in needed or (place is not None and place != needed[name]):
                self._parts.remove(name)
                self._forget(place)
        there = self._parts.names()
        for name, place in needed.items():
            if name not in there and not self._holder(place):
                self._forget(place)

    def _copy_moved(self) -> None:
        """Take over what the folder has under another name, or with another time."""
        for place in self._ledger.needed_ranges():
            if not self._holder(place):
                continue
            self._parts.remove(str(place.block))
            # Not needed for a moment, so that the bytes come from the file that has them.
            self._ledger.set_needed(place, needed=False)
            try:
                self._copy(place)
            except (StorageError, LocalProtocolError):
                self._parts.remove(str(place.block))
                self._forget(place)
                continue
            finally:
                self._ledger.set_needed(place, needed=True)
            self._parts.sync()
            self._finish(place)

    def _copy(self, place: Range) -> None:
        offset = 0
        for index in range(place.block, place.end):
            self._check()
            block = self._content.get(index)
            self._parts.write(place.block, offset, block)
            offset += len(block)

    def _holder(self, place: Range) -> bool:
        return bool(
            self._ledger.rows(
                "SELECT 1 FROM held WHERE byte_offset = ? AND block = ? AND blocks = ?"
                " AND size = ? AND changed = 0",
                (place.byte_offset, place.block, place.blocks, place.size),
            )
        )

    def _remove_gone(self) -> None:
        columns = ", ".join(f"h.{name}" for name in HELD_COLUMNS.split(", "))
        rows = self._ledger.rows(
            f"SELECT {columns}, h.changed FROM held h LEFT JOIN wanted w USING (path)"  # noqa: S608
            " WHERE w.path IS NULL OR (w.byte_offset IS NULL) <> (h.byte_offset IS NULL)"
            " ORDER BY h.path DESC"
        )
        for row in rows:
            self._check()
            if self._placement.remove(held_of(row[:-1]), changed=bool(row[-1])):
                self._result.deleted += 1

    def _make_folders(self) -> None:
        missing = "byte_offset IS NULL AND path NOT IN (SELECT path FROM held) ORDER BY path"
        for wanted in self._ledger.wanted(missing):
            self._check()
            self._placement.make_folder(wanted)

    def _make_empty(self) -> None:
        while found := self._ledger.wanted("needed = 1 AND size = 0 LIMIT ?", (_PAGE,)):
            self._check()
            files = [(wanted, f"empty.{number}") for number, wanted in enumerate(found)]
            for wanted, name in files:
                self._placement.new_part(wanted, name)
            self._placement.place(files)
            self._result.written += len(files)

    def _forget(self, place: Range | None) -> None:
        if place is not None and place.blocks and not self._holder(place):
            self._content.forget(place.block, place.end)
