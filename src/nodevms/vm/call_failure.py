"""What the operator reads when a call ends with an error.

Most errors are a script's answer to its caller. Those of the types that the language itself throws
are most often mistakes in the script, and those of limits are the operator's to know.
"""

from __future__ import annotations

from typing import Final

from nodevms.sandbox import Outcome
from nodevms.vm.error_text import describe_error
from nodevms.vm.script_advice import advice_on_error
from nodevms.vm.source_text import SourceText

SHOWN_BYTES_MAX: Final = 1000

_NAMES: Final = (
    *("TypeError", "ReferenceError", "SyntaxError", "RangeError", "InternalError", "LimitError"),
)
_TOLD: Final = tuple(f'{{"name":"{name}"'.encode() for name in _NAMES)


def failure_level(outcome: Outcome) -> str:
    """Return ``warn`` for an error that the operator should know, ``debug`` for any other."""
    return "warn" if (outcome.error or b"").startswith(_TOLD) else "debug"


def failure_title(outcome: Outcome) -> str:
    """Return the error as a sentence, of a bounded length."""
    error = outcome.error or b"{}"
    if len(error) <= SHOWN_BYTES_MAX:
        return describe_error(error)
    return error[:SHOWN_BYTES_MAX].decode("utf-8", "replace") + "…"


def failure_details(outcome: Outcome, source: SourceText) -> str:
    """Return where in the script it happened and what to do, or nothing if neither is known.

    A limit stops a call without a stack: its method is all that is known.

    Args:
        outcome: How the call ended; it has an error.
        source: The script.
    """
    stack = outcome.stack or ""
    place = source.place(stack)
    parts = [
        source.excerpt(*place) if place else None,
        source.frames(stack),
        advice_on_error(outcome.error or b""),
    ]
    return "\n".join(filter(None, parts))
