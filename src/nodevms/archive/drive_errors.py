"""The errors of the published drive."""

from __future__ import annotations

from nodevms.errors import NodeVMSError, ProvedFalseError


class BadDriveError(ProvedFalseError):
    """A signed block of a drive is not what any honest writer would have signed there.

    Attributes:
        seq: The metadata block that proves it, or None if the content feed does.
    """

    code = "bad-drive"

    def __init__(self, message: str, *, seq: int | None = None, code: str | None = None) -> None:
        super().__init__(message if seq is None else f"metadata block {seq}: {message}", code=code)
        self.seq = seq


class NotInDriveError(NodeVMSError):
    """The drive has nothing of the wanted kind under this path in this version."""

    code = "not-in-drive"
    exit_code = 2
