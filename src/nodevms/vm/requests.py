"""What goes into a backend and what comes out: requests, answers, exported methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Method:
    """An exported function that may be called.

    Attributes:
        name: The name in ``exports``.
        parameters: The names of its parameters, as far as its source text tells.
    """

    name: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended. It is on disk and signed when somebody sees this.

    Attributes:
        result: The result's JSON text; None for ``undefined`` and after an error.
        error: The error's JSON text as the log has it; None when the call returned.
        seq: The position of the call's entry in the log.
        epoch: The position of the start entry that this call ran under.
        stack: Where in the script an Error was made, a line a frame; for callers of backends in
            debug mode alone, and never in the log.
    """

    result: bytes | None
    error: bytes | None
    seq: int
    epoch: int
    stack: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A call that was accepted and waits for its turn.

    Attributes:
        method: The exported function.
        arguments: JSON array text without white space between tokens.
        caller: Who calls, or None for nobody.
        token: Whatever the one who delivers the answer needs to find who waits for it.
    """

    method: str
    arguments: bytes
    caller: str | None
    token: object


Outcome: TypeAlias = Answer | Exception
Deliver: TypeAlias = Callable[[Sequence[tuple[Request, Outcome]]], None]
"""Takes answers or failures to those who wait. Called on the backend's own threads."""
