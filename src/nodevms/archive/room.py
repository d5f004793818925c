"""What all files together are during a call, and how much they may be."""

from __future__ import annotations

from nodevms.archive.errors import ArchiveFullError
from nodevms.archive.record import NUMBER_MAX, Record, Totals

NO_LIMIT = Totals(NUMBER_MAX, NUMBER_MAX)


class Room:
    """Follows a call's changes, and says whether there is room for more.

    Args:
        totals: What all files are before the call.
        most: What they may be.
    """

    def __init__(self, totals: Totals, most: Totals) -> None:
        self._totals = totals
        self._most = most

    def change(self, old: Record | None, new: Record | None) -> None:
        """Note that a path has something else than before."""
        self._totals = self._totals.after(old, new)

    def require(self, bytes_more: int, paths_more: int) -> None:
        """Refuse what would make all files together more than they may be.

        What makes neither number larger is never refused, even where an earlier start allowed
        more. Asked before the first change of an operation, so that none is half done.

        Args:
            bytes_more: By how much the sum of all sizes grows; negative if it shrinks.
            paths_more: By how much the number of files and folders grows.

        Raises:
            ArchiveFullError: There is no room; the script may catch that.
        """
        size, paths = self._totals.bytes + bytes_more, self._totals.paths + paths_more
        if bytes_more > 0 and size > self._most.bytes:
            raise ArchiveFullError(
                f"The files would have {size:,} bytes; {self._most.bytes:,} are allowed",
                code="ERR_ARCHIVE_BYTES",
            )
        if paths_more > 0 and paths > self._most.paths:
            raise ArchiveFullError(
                f"There would be {paths:,} files and folders; {self._most.paths:,} are allowed",
                code="ERR_ARCHIVE_PATHS",
            )
