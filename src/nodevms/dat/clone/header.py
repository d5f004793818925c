"""The first block of a drive's metadata: it names the feed with the contents."""

from __future__ import annotations

from typing import Final

from nodevms.archive import BadDriveError
from nodevms.archive.messages import decode_index
from nodevms.errors import UsageError
from nodevms.feed import dat_url

_NAMED_ELSEWHERE: Final = "A backend's drive is the URL behind Files: that exec prints."


class NotADriveError(UsageError):
    """A feed that was named as a drive is something else.

    Attributes:
        block: The feed's first block.
    """

    code = "not-a-drive"

    def __init__(self, key: bytes, block: bytes) -> None:
        """Say it of the feed with this public key."""
        super().__init__(f"{dat_url(key)} is not a drive", hint=_NAMED_ELSEWHERE)
        self.block = block


def content_key(key: bytes, block: bytes) -> bytes:
    """Return the public key of the contents' feed.

    Args:
        key: The drive's public key.
        block: Its first block.

    Raises:
        NotADriveError: The block is no drive's header.
    """
    try:
        return decode_index(block)
    except BadDriveError as error:
        raise NotADriveError(key, block) from error
