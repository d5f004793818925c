"""The errors that every part of the house raises, and what each kind means.

Three answers are never mixed up: a claim was *proved false* (exit code 1), it *could not be
checked* (exit code 3), or the program was *used wrongly* (exit code 2). An error carries a stable
``code`` for programs, a sentence for people and, where there is one, a hint about what to do.
"""

from __future__ import annotations

from typing import ClassVar


class NodeVMSError(Exception):
    """Base class of every error that this package raises on purpose.

    Attributes:
        code: A stable, dash-separated name for programs. Subclasses or instances set it.
        hint: What the reader can do about it, or None.
    """

    code: str = "error"
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.hint = hint


class UsageError(NodeVMSError):
    """The program or function was asked for something that makes no sense."""

    code = "usage"
    exit_code = 2


class ProvedFalseError(NodeVMSError):
    """A claim was checked and is false: bytes, signatures or a replay contradict it."""

    code = "proved-false"
    exit_code = 1


class CouldNotCheckError(NodeVMSError):
    """A claim could be neither proved nor refuted: data, engine or time is missing."""

    code = "could-not-check"
    exit_code = 3


class StorageError(NodeVMSError):
    """Reading or writing a backend's directory failed.

    Attributes:
        fatal: True when what is on disk must not be used before somebody looked at it.
    """

    code = "storage"

    def __init__(
        self,
        message: str,
        *,
        fatal: bool = False,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.fatal = fatal


class RemoteProtocolError(NodeVMSError):
    """The other side broke the rules of a protocol."""

    code = "remote-protocol"


class LocalProtocolError(NodeVMSError):
    """Our own side asked a protocol for something that its rules forbid."""

    code = "local-protocol"
