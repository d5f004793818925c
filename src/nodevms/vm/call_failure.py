"""What the operator reads when a call ends with an error.

Most errors are a script's answer to its caller. Those of the types that the language itself throws
are most often mistakes in the script, and those of limits are the operator's to know.
"""

from __future__ import annotations

from typing import Final

from nodevms.sandbox import Outcome
from nodevms.vm.error_text import describe_error
from nodevms.vm.script_advice import advice_on_error

SHOWN_BYTES_MAX: Final = 1000

_NAMES: Final = (
    *("TypeError", "ReferenceError", "SyntaxError", "RangeError", "InternalError", "LimitError"),
)
_TOLD: Final = tuple(f'{{"name":"{name}"'.encode() for name in _NAMES)


def call_failure(method: str, outcome: Outcome, script_name: str) -> tuple[str, str]:
    """Return the console's level and the lines for a call that failed.

    Args:
        method: What was called.
        outcome: How it ended; it has an error.
        script_name: The script's file, which the lines of the stack are in.

    Returns:
        ``warn`` for what the operator should know and ``debug`` for other errors, and the text.
    """
    error = outcome.error or b"{}"
    told = describe_error(error) if len(error) <= SHOWN_BYTES_MAX else _cut(error)
    lines = [f"{method}() failed: {told}"]
    if outcome.stack:
        lines.append(outcome.stack.rstrip().replace("script.js:", f"{script_name}:"))
    if advice := advice_on_error(error):
        lines.append(advice)
    return ("warn" if error.startswith(_TOLD) else "debug"), "\n".join(lines)


def _cut(error: bytes) -> str:
    return error[:SHOWN_BYTES_MAX].decode("utf-8", "replace") + "…"
