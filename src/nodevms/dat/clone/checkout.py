"""A drive's version in a folder: what differs, what is to be fetched, and how it is put in place.

No network here. The caller brings the blocks of both feeds, in any order and with interruptions;
whatever is interrupted, another :class:`Checkout` of the same folder goes on from there. The
order of one version: :meth:`Checkout.list_version`, :meth:`Checkout.compare`, then
:meth:`Checkout.finish` as ranges of the content arrive, and :meth:`Checkout.complete`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nodevms.dat.clone.comparison import NAMED_MAX, Comparison
from nodevms.dat.clone.ledger import OF_RANGE, RANGE_COLUMNS
from nodevms.dat.clone.listing import ENTRIES_MAX, Listing, drop_range
from nodevms.dat.clone.placement import Placement
from nodevms.dat.clone.records import Held, Range, Result, Wanted
from nodevms.errors import LocalProtocolError

if TYPE_CHECKING:
    from nodevms.archive import TreeScan
    from nodevms.dat.clone.names import Names
    from nodevms.dat.clone.place import ClonePlace
    from nodevms.feed import Node


class ContentFeed(Protocol):
    """What a checkout needs of the content feed, whose ``data`` are the clone's own files."""

    def has(self, index: int, /) -> bool:
        """Whether a block is here, as far as the feed knows."""

    def get(self, index: int, /) -> bytes:
        """Return a block that is here.

        Raises:
            LocalProtocolError: It is not here, or its file was changed.
            StorageError: It cannot be read.
        """

    def holds(self, index: int, /) -> bool:
        """Whether a node of the feed's tree is here. Those of blocks that are forgotten stay."""

    def node(self, index: int, /) -> Node:
        """Return a node that is here."""

    def byte_offset(self, index: int, /) -> int:
        """Return the bytes before a block that is here, or before the one after such a block."""

    def missing(self, start: int, end: int, /) -> Iterator[tuple[int, int]]:
        """Yield the runs of missing blocks, as (first, one past the last)."""

    def forget(self, start: int, end: int, /) -> None:
        """Take blocks for missing from now on."""

    def flush(self) -> None:
        """Put on the disk what is here, and what is not."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a version still takes.

    Attributes:
        files: Files that are not in place.
        disk_bytes: The bytes of these files.
        download_bytes: The bytes of their contents, each content once.
        here_bytes: How many of these came before, when this version or another was interrupted.
    """

    files: int
    disk_bytes: int
    download_bytes: int
    here_bytes: int


class Checkout:
    """Brings a folder to one version after another.

    Args:
        place: The folder, with what the clone keeps.
        content: The drive's content feed.
        clock: Seconds since 1970.
        check: Called often: what it raises ends the work, which goes on another time.
    """

    def __init__(
        self,
        place: ClonePlace,
        content: ContentFeed,
        *,
        clock: Callable[[], float],
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._place = place
        self._ledger = place.ledger
        self._content = content
        self._check = check
        self._result = Result(0)
        self._begun: dict[str, Range] = {}
        self._here: dict[Range, int] = {}
        self._placement = Placement(
            place.ledger,
            place.folder,
            place.parts,
            clock=clock,
            aside=self._put_aside,
            lost=self._lost,
        )

    @property
    def planned(self) -> int | None:
        """The version whose paths are listed, by this process or an earlier one."""
        found = self._ledger.meta("planned")
        return None if found is None else int(found)

    def list_version(
        self, version: int, scan: TreeScan, *, entries_max: int = ENTRIES_MAX
    ) -> Iterator[int]:
        """Read a version's paths; yields how many there are so far whenever blocks are missing.

        The caller brings `scan.missing` before it goes on.

        Raises:
            BadDriveError: A block on the way is malformed.
            CouldNotCheckError: There are more than `entries_max`.
        """
        ledger = self._ledger
        there = self._place.parts.names()
        for place in ledger.needed_ranges():
            if str(place.block) in there:
                self._begun[str(place.block)] = place
        ledger.set_meta("planned", None)
        listing = Listing(ledger, folds=self._place.folds, entries_max=entries_max)
        while True:
            with ledger.transaction():
                for node in scan.advance(self._check):
                    listing.add(node)
            if scan.done:
                break
            yield listing.entries
        with ledger.transaction():
            listing.finish()
            ledger.set_meta("planned", version)

    def compare(self) -> Need:
        """Find what the folder lacks, take away what the version has not, and take over the rest.

        Afterwards all folders, empty files and files that only moved are in place.
        """
        planned = self.planned
        if planned is None:
            raise LocalProtocolError("No version is listed.", code="clone-incomplete")
        self._result = Result(planned)
        Comparison(
            self._place,
            self._content,
            self._placement,
            self._result,
            finish=lambda place: self._finish([place]),
            check=self._check,
        ).run(self._begun)
        self._begun = {}
        there = self._place.parts.names()
        self._here = {
            place: self._bytes_here(place)
            for place in self._ledger.needed_ranges()
            if str(place.block) in there
        }
        # Before a part is begun: after a crash no bit may be older than the part that it is about.
        self._content.flush()
        return self.need()

    def need(self) -> Need:
        """Return what is still to come."""
        found = self._ledger.rows("SELECT count(*), sum(size) FROM wanted WHERE needed = 1")
        files, disk_bytes = found[0]
        once = f"SELECT DISTINCT {RANGE_COLUMNS} FROM wanted WHERE needed = 1"  # noqa: S608
        return Need(
            files,
            disk_bytes or 0,
            self._ledger.number(f"SELECT sum(size) FROM ({once})"),  # noqa: S608
            sum(self._here.values()),
        )

    def totals(self) -> tuple[int, int]:
        """Return how many files the version has here, and their bytes."""
        found = self._ledger.rows(
            "SELECT count(*), sum(size) FROM wanted WHERE byte_offset IS NOT NULL"
        )
        files, size = found[0]
        return files, size or 0

    def ranges(self, after: Range | None, most: int) -> list[Range]:
        """Return the next contents to fetch, in the order in which the content feed has them."""
        return self._ledger.needed_ranges(after, most)

    def finish(self, ranges: Iterable[Range]) -> None:
        """Put the files in place whose contents are here and synced.

        A content that is not where the drive says is false: its files are skipped.
        """
        for place in ranges:
            self._result.downloaded += place.size - self._here.pop(place, 0)
        self._finish(ranges)

    def may_be_true(self, place: Range) -> bool:
        """Tell whether all blocks of a content that are here are where the drive says."""
        missing = next(iter(self._content.missing(place.block, place.end)), (place.end, place.end))
        first = place.block if missing[0] > place.block else missing[1]
        if first >= place.end:
            return True
        last = self._last(place)
        start = self._content.byte_offset(first)
        end = self._content.byte_offset(last) + self._content.node(2 * last).size
        stated_end = place.byte_offset + place.size
        return (
            start == place.byte_offset if first == place.block else start > place.byte_offset
        ) and (end == stated_end if last == place.end - 1 else end < stated_end)

    def skip(self, place: Range, reason: str, *, false: bool) -> None:
        """Want the files with this content no more.

        Args:
            place: The content.
            reason: Why, for people.
            false: The drive contradicts itself there.
        """
        drop_range(self._ledger, place, reason, false=false)
        self._here.pop(place, None)
        self._place.parts.remove(str(place.block))
        self._content.forget(place.block, place.end)

    def complete(self) -> Result:
        """Say that the folder has the version; return what came of it.

        Raises:
            LocalProtocolError: It has not.
        """
        if self.need().files:
            raise LocalProtocolError("The version is not in place yet.", code="clone-incomplete")
        result = self._result
        result.files, result.bytes = self.totals()
        result.skipped = self._ledger.skipped(NAMED_MAX)
        self._place.write_latest(result.version)
        self._ledger.set_meta("version", result.version)
        return result

    def _finish(self, ranges: Iterable[Range]) -> None:
        files: list[tuple[Wanted, str]] = []
        for place in ranges:
            if not self.may_be_true(place):
                self.skip(place, "its content is not where its stat says it is", false=True)
                continue
            first, *others = self._ledger.wanted(
                f"needed = 1 AND {OF_RANGE} ORDER BY path",
                (place.byte_offset, place.block, place.blocks, place.size),
            )
            for number, other in enumerate(others):
                name = f"{place.block}.{number}"
                self._placement.new_part(other, name, place.block)
                files.append((other, name))
            files.append((first, str(place.block)))
        self._placement.place(files)
        self._result.written += len(files)

    def _last(self, place: Range) -> int:
        """Return the last block of a range that is here."""
        missing = list(self._content.missing(place.block, place.end))
        end = place.end
        while missing and missing[-1][1] == end:
            end = missing.pop()[0]
        return end - 1

    def _bytes_here(self, place: Range) -> int:
        size, at = 0, place.block
        for start, end in (*self._content.missing(place.block, place.end), (place.end, place.end)):
            size += sum(self._content.node(2 * index).size for index in range(at, start))
            at = end
        return min(size, place.size)

    def _put_aside(self, before: Names, after: Names) -> None:
        self._result.kept["/".join(before)] = "/".join(after)

    def _lost(self, held: Held) -> None:
        place = held.range
        if place is None or not place.blocks:
            return
        others = self._ledger.number(
            f"SELECT count(*) FROM held WHERE path <> ? AND changed = 0 AND {OF_RANGE}",  # noqa: S608
            (held.path, place.byte_offset, place.block, place.blocks, place.size),
        )
        if not others:
            self._content.forget(place.block, place.end)
