"""How much of a backend a copy keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from nodevms.feed import PartialFeed


@dataclass(frozen=True, slots=True)
class Kept:
    """What is here from the beginning without a gap.

    Attributes:
        entries: Entries of the call log.
        files_bytes: Bytes of the files' contents.
    """

    entries: int
    files_bytes: int

    @classmethod
    def of(cls, log: PartialFeed, content: PartialFeed | None) -> Self:
        """Look at the feeds of a copy; without contents there are no bytes."""
        if content is None:
            return cls(_blocks(log), 0)
        blocks = _blocks(content)
        whole = blocks == content.length
        return cls(_blocks(log), content.byte_length if whole else content.byte_offset(blocks))


def _blocks(feed: PartialFeed) -> int:
    return next(feed.missing(0, feed.length), (feed.length,))[0]
