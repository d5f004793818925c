"""What goes into a backend and what comes out: requests, answers, exported methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nodevms.feed import Head


@dataclass(frozen=True, slots=True)
class Method:
    """An exported function that may be called.

    Attributes:
        name: The name in ``exports``.
        parameters: The names of its parameters, as far as its source text tells.
        readonly: Whether its calls change nothing and are not logged.
    """

    name: str
    parameters: tuple[str, ...] = ()
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class ReadAt:
    """What the answer of a read-only call was computed at: enough to compute it again.

    Attributes:
        head: The signed head of the log.
        time_ms: What ``Date`` showed: the time of the log's last entry under that head.
        files_version: The version of the files there.
        files_root: The state root there, in hex.
        gas: What the call used.
        seed: 16 hex digits, if the call asked for randomness.
    """

    head: Head
    time_ms: int
    files_version: int
    files_root: str
    gas: int
    seed: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended. What it rests on is on disk and signed when somebody sees this.

    Attributes:
        result: The result's JSON text; None for ``undefined`` and after an error.
        error: The error's JSON text as the log has it; None when the call returned.
        seq: The position of the call's entry in the log; None for a read-only call, which has none.
        epoch: The position of the start entry that this call ran under.
        stack: Where in the script an Error was made, a line a frame; for callers of backends in
            debug mode alone, and never in the log.
        read_at: What a read-only call was computed at; None for a call that is logged.
    """

    result: bytes | None
    error: bytes | None
    seq: int | None
    epoch: int
    stack: str | None = None
    read_at: ReadAt | None = None


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
