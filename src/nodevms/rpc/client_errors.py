"""What can go wrong when calling a backend, apart by what the caller may conclude."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nodevms.errors import CouldNotCheckError, NodeVMSError
from nodevms.rpc.codes import THROWN_ERROR, THROWN_FALSY, code_name

if TYPE_CHECKING:
    from nodevms.rpc.read_only_answer import ReadOnlyAnswer
    from nodevms.vm.requests import ReadAt

STACK_CHARACTERS_MAX = 16_384
"""More than any server of ours sends; what another one sends beyond is cut off."""

_FROM_SCRIPT = (THROWN_ERROR, THROWN_FALSY)


class ConnectionFailedError(CouldNotCheckError):
    """There is no connection; nothing was called."""

    code = "connection-failed"


class CallOutcomeUnknownError(CouldNotCheckError):
    """The call was sent and no answer came: it may or may not have run. The call log tells.

    Never sent again by itself, since it might then run twice.
    """

    code = "outcome-unknown"


class RemoteError(NodeVMSError):
    """The backend answered with an error.

    Attributes:
        name: The error's name, such as ``TypeError``, or a short title of the server's.
        message: The sentence.
        code: Stable name of the kind: ``thrown`` for an Error that the script threw,
            ``thrown-value`` for anything else it threw, otherwise one of the table in docs/rpc.md.
        rpc_code: JSON-RPC's number, or None if the script threw something without one.
        data: The ``data`` member, or the thrown value itself.
        error_code: The thrown Error's own ``code``, such as a limit's name; None without one.
        seq: The call's entry in the call log; None if the call was not run, or is read-only.
        text: The JSON text of the ``error`` member.
        epoch: Seq of the start entry that the call ran under; None if it was not run.
        read_at: What a read-only call was computed at.
        answer: Of a read-only call that was made as one, the answer, to be kept and verified.
        stack: Where in the script the Error was made, a line a frame; None unless the backend is
            in debug mode.
    """

    code = "thrown"

    def __init__(
        self,
        name: str,
        message: str,
        *,
        code: str,
        rpc_code: int | None = None,
        data: object = None,
        error_code: str | float | None = None,
        seq: int | None = None,
        stack: str | None = None,
    ) -> None:
        super().__init__(f"{name}: {message}" if message else name, code=code)
        self.name = name
        self.message = message
        self.rpc_code = rpc_code
        self.data = data
        self.error_code = error_code
        self.seq = seq
        self.stack = stack
        self.text = b""
        self.epoch: int | None = None
        self.read_at: ReadAt | None = None
        self.answer: ReadOnlyAnswer | None = None


def remote_error(text: bytes, seq: int | None, *, ran: bool | None = None) -> RemoteError:
    """Turn an answer's ``error`` member into an exception.

    Args:
        text: JSON text of the member.
        seq: The answer's entry, if the call was logged.
        ran: Whether the script ran; by default, whether there is an entry.
    """
    ran = seq is not None if ran is None else ran
    error = json.loads(text)
    number = error.get("code") if isinstance(error, dict) else None
    if not isinstance(number, int) or (ran and number not in _FROM_SCRIPT):
        shown = text[:200].decode(errors="replace")
        return RemoteError("ThrownValue", shown, code="thrown-value", data=error, seq=seq)
    title, data = str(error.get("message")), error.get("data")
    message = data if isinstance(data, str) and data != title else ""
    return RemoteError(
        title,
        message,
        code=code_name(number) or "remote",
        rpc_code=number,
        data=data,
        error_code=error.get("errorCode"),
        seq=seq,
        stack=_stack_of(error.get("stack")),
    )


def _stack_of(member: object) -> str | None:
    return member[:STACK_CHARACTERS_MAX] if isinstance(member, str) and member else None
