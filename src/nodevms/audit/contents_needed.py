"""How many blocks of the files' contents the newest entries of a call log need."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from nodevms.archive.record import block_count
from nodevms.errors import CouldNotCheckError, LocalProtocolError, ProvedFalseError, StorageError
from nodevms.vm.entries import decode
from nodevms.vm.entry_changes import changes_of

if TYPE_CHECKING:
    from nodevms.feed import PartialFeed

ENTRIES_MAX: Final = 1000
"""So many of the last entries are asked: a copy waits for what they need, but trusts nothing."""


class ContentsNeeded:
    """Asks each entry once. To be called from any thread, one at a time.

    Args:
        log: The call log, as far as it is there.
    """

    def __init__(self, log: PartialFeed) -> None:
        self._log = log
        self._asked = 0
        self._needed = 0

    def blocks(self) -> int:
        """Return how many blocks are needed.

        What an entry says falsely is the verifier's question.
        """
        length = self._log.length
        for seq in range(max(self._asked, length - ENTRIES_MAX), length):
            with suppress(
                ProvedFalseError, CouldNotCheckError, LocalProtocolError, StorageError, ValueError
            ):
                for change in changes_of(decode(self._log.get(seq))):
                    if change.kind == "file":
                        self._needed = max(self._needed, change.block + block_count(change.size))
        self._asked = length
        return self._needed
