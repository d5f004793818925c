"""What can be wrong with a feed, each with a stable code and, where there is one, a place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodevms.errors import (
    CouldNotCheckError,
    LocalProtocolError,
    ProvedFalseError,
    StorageError,
)

if TYPE_CHECKING:
    from pathlib import Path


class FeedFalseError(ProvedFalseError):
    """Bytes of a feed contradict its key: a changed block, tree node or signature.

    Attributes:
        file: Name of the file that holds the wrong bytes, or None when they came from no file.
        block: Index of the first block that is concerned, or None.
    """

    code = "feed-false"

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        block: int | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.file = file
        self.block = block


class FeedUncheckedError(CouldNotCheckError):
    """A feed cannot be checked: bytes are missing, unreadable or above the ceiling.

    Attributes:
        file: Name of the file that lacks something.
        block: Index of the first block that is concerned, or None.
    """

    code = "feed-unchecked"

    def __init__(
        self,
        message: str,
        *,
        file: str,
        block: int | None = None,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.file = file
        self.block = block


class FeedUnprovedError(CouldNotCheckError):
    """A validly signed proof leads to a head that cannot be compared with the one we hold.

    Nobody lied: a head as long as ours or shorter whose roots we do not have (code
    ``feed-unproved``), a longer one without the nodes that show that it extends ours
    (``feed-unproved-extension``), or one beyond our limits (``feed-too-long``).

    Attributes:
        length: Blocks under that head.
    """

    code = "feed-unproved"

    def __init__(self, message: str, *, length: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.length = length


class NoBlockError(LocalProtocolError):
    """A block or node was asked for that is not there."""

    code = "feed-no-block"


class FeedIOError(StorageError):
    """The system failed to read or write a feed's file.

    Attributes:
        path: The file.
    """

    def __init__(self, message: str, path: Path) -> None:
        super().__init__(message)
        self.path = path


class FeedDamagedError(StorageError):
    """A feed on our own disk is damaged where no crash of ours can have damaged it."""

    code = "feed-damaged"

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            fatal=True,
            hint="Keep a copy of the directory, then restore it from a backup or another host.",
        )
