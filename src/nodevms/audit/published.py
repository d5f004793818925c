"""Compare each publication of the drive with the replayed state at its marker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nodevms.archive import Change, DriveChecker, DrivePublication, publications
from nodevms.archive.messages import encode_index
from nodevms.audit.divergence import EntryFalseError, EntryUncheckedError
from nodevms.errors import ProvedFalseError
from nodevms.feed import Feed
from nodevms.vm.publication import NetChanges

BEHIND_HINT: Final = "This copy is not complete. Fetch again, or ask the backend itself."
UNPUBLISHED_MAX: Final = 1_000_000
"""Twenty times what an honest publisher lets gather; about 500 bytes of memory each."""


class PublishedDrive:
    """Follows the replay and checks every publication when its moment has come."""

    def __init__(self, metadata: Feed, content: Feed, content_key: bytes) -> None:
        """Begin before the first publication.

        Raises:
            ProvedFalseError: The drive's header is not this backend's.
            CouldNotCheckError: The drive has no header yet.
        """
        self._checker: Final = DriveChecker(metadata, content, content_key)
        if metadata.get(0) != encode_index(content_key):
            raise ProvedFalseError(
                "the published files begin with more than their header", code="bad-drive"
            )
        self._publications: Iterator[DrivePublication] = publications(metadata)
        self._next = next(self._publications, None)
        self._net = NetChanges()
        self.checked = 0
        self.reflects = 0

    def add(self, seq: int, changes: tuple[Change, ...], time_ms: int) -> None:
        """Take over one replayed entry, and check the publication that reflects it, if any.

        Raises:
            ProvedFalseError: The publication is not what the log leads to.
            CouldNotCheckError: More is unpublished than this program keeps in memory.
        """
        self._net.add(changes, time_ms)
        if len(self._net) > UNPUBLISHED_MAX:
            raise EntryUncheckedError(
                f"entry {seq}: more than {UNPUBLISHED_MAX:,} changed paths were not published",
                entry=seq,
                code="ceiling",
            )
        while self._next is not None and self._next.marker == seq + 1:
            try:
                self._checker.check(self._next, self._net.take())
            except ProvedFalseError as error:
                raise EntryFalseError(
                    f"the files that were published for entry {seq}: {error}",
                    entry=seq,
                    code=error.code,
                ) from error
            self.checked += 1
            self.reflects = self._next.marker
            self._next = next(self._publications, None)

    def finish(self, length: int, *, from_others: bool = False) -> None:
        """Say that the log has ended.

        Args:
            length: How many entries it had.
            from_others: The log comes from somebody who need not have all of it.

        Raises:
            ProvedFalseError: A publication claims to reflect entries that the log has not got.
            CouldNotCheckError: It does so, and somebody else may have them.
        """
        if self._next is None:
            return
        message = (
            f"entry {length} is missing: the published files reflect {self._next.marker} "
            f"entries, and the log has {length}"
        )
        if from_others:
            raise EntryUncheckedError(message, entry=length, code="behind", hint=BEHIND_HINT)
        raise EntryFalseError(message, entry=length, code="publication-ahead")

    @property
    def lag(self) -> bool:
        """Whether the files changed since the newest publication."""
        return bool(self._net)
