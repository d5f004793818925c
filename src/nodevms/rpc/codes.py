"""Every error code on the wire, in one table, and the faults that carry them.

``docs/rpc.md`` prints the same table for users; a test compares the two. The codes from -32700 to
-32600 are JSON-RPC 2.0's own. -32000 is what the 2017 server used for an Error that the script
threw. The rest are ours, from JSON-RPC's range for servers, and mean that no script ran, except
where the table says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
THROWN_ERROR = -32000
CALLER_REFUSED = -32001
QUEUE_FULL = -32002
LIMIT_EXCEEDED = -32003
CLOSED = -32004
OUTCOME_UNKNOWN = -32005
THROWN_FALSY = -32006
ANSWER_NOT_SENT = -32007

QUEUE_FULL_SENTENCE = "Too many active requests. Try again in a few minutes."

# number: (stable name for programs, message on the wire)
CODES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        PARSE_ERROR: ("parse-error", "Parse error"),
        INVALID_REQUEST: ("invalid-request", "Invalid Request"),
        METHOD_NOT_FOUND: ("unknown-method", "Method not found"),
        INVALID_PARAMS: ("arguments", "Invalid params"),
        INTERNAL_ERROR: ("internal-error", "Internal error"),
        THROWN_ERROR: ("thrown", "Error"),
        CALLER_REFUSED: ("caller", "Caller refused"),
        QUEUE_FULL: ("queue-full", QUEUE_FULL_SENTENCE),
        LIMIT_EXCEEDED: ("limit-exceeded", "Limit exceeded"),
        CLOSED: ("closed", "Backend closed"),
        OUTCOME_UNKNOWN: ("outcome-unknown", "Outcome unknown"),
        THROWN_FALSY: ("thrown-value", "Thrown value"),
        ANSWER_NOT_SENT: ("answer-not-sent", "Answer not sent"),
    }
)
_NUMBERS = {name: number for number, (name, _) in CODES.items()}


@dataclass(frozen=True, slots=True)
class Fault:
    """A request that our side answers with an error.

    Attributes:
        code: One of the numbers of ``CODES``.
        data: A sentence for people, or None.
    """

    code: int
    data: str | None = None

    def encode(self) -> bytes:
        """Return the JSON text of the answer's ``error`` member."""
        error: dict[str, object] = {"code": self.code, "message": CODES[self.code][1]}
        if self.data is not None:
            error["data"] = self.data
        return msgspec.json.encode(error)


QUEUE_FULL_FAULT = Fault(QUEUE_FULL, QUEUE_FULL_SENTENCE)


def code_name(number: int) -> str | None:
    """Return the stable name of a code, or None for a number that is not ours."""
    entry = CODES.get(number)
    return entry[0] if entry else None


def fault_of(error_code: str, sentence: str) -> Fault:
    """Return the fault for an error that a backend raised.

    Args:
        error_code: The error's stable ``code``; one that is not in the table becomes an
            internal error, whose sentence stays in the host's log.
        sentence: The error's sentence.
    """
    if error_code == "queue-full":
        return QUEUE_FULL_FAULT
    number = _NUMBERS.get(error_code, INTERNAL_ERROR)
    return Fault(number, None if number == INTERNAL_ERROR else sentence)
