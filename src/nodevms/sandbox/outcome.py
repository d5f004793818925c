"""How an entry into the guest ended."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Export:
    """A function that the script offers.

    Attributes:
        name: Its name in ``module.exports``.
        parameters: The names of its parameters, as far as its source text tells.
        readonly: Whether the script marked it, so that its calls leave nothing behind.
    """

    name: str
    parameters: tuple[str, ...]
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a start or a call ended.

    Attributes:
        result: The result's JSON text; None for ``undefined`` and after an error.
        error: ``{"name","message","code"?}`` of an Error or a limit, ``{"value"?}`` of anything
            else that was thrown; None when nothing was.
        gas: What was used; the limit for a call that ran out of gas, memory or stack.
        undone: True when a limit stopped it: memory is as before.
        stack: The stack trace, for the host's log only.
        position: Line and column of a syntax error, from 1.
    """

    result: bytes | None
    error: bytes | None
    gas: int
    undone: bool = False
    stack: str | None = None
    position: tuple[int, int] | None = None


def stopped(code: str, message: str, gas: int) -> Outcome:
    """Return the outcome of a call that a limit stopped."""
    return Outcome(None, limit_error(code, message), gas, undone=True)


def limit_error(code: str, message: str) -> bytes:
    """Return the JSON text of a limit's error."""
    error = {"name": "LimitError", "message": message, "code": code}
    return json.dumps(error, separators=(",", ":"), ensure_ascii=False).encode()
