"""What an audit says when a replay contradicts the log."""

from __future__ import annotations

from dataclasses import dataclass

from nodevms.errors import ProvedFalseError
from nodevms.vm.entries import Call, Entry

SHOWN_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where the log and the replay differ.

    Attributes:
        seq: The entry.
        what: The call in words, or the kind of start.
        field: Which part of the entry differs.
        expected: What the replay gives.
        found: What the log says.
    """

    seq: int
    what: str
    field: str
    expected: str
    found: str


class DivergenceError(ProvedFalseError):
    """The log says something that its own replay contradicts."""

    code = "divergence"

    def __init__(self, divergence: Divergence) -> None:
        d = divergence
        super().__init__(
            f"entry {d.seq} ({d.what}): {d.field} differs: "
            f"expected {shorten(d.expected)}, found {shorten(d.found)}"
        )
        self.divergence = divergence


def diverged(seq: int, what: str, field: str, expected: object, found: object) -> DivergenceError:
    """Make the error for one difference."""
    return DivergenceError(Divergence(seq, what, field, _text(expected), _text(found)))


def describe(entry: Entry) -> str:
    """Say in a few words what an entry is about."""
    if not isinstance(entry, Call):
        return {"Init": "init", "Restart": "restart", "Upgrade": "upgrade"}[type(entry).__name__]
    call = entry.call
    arguments = bytes(call.args)[1:-1].decode("utf-8", "replace")
    by = "" if call.userId is None else f" by {call.userId!r}"
    return f"{call.methodName}({shorten(arguments, 80)}){by}"


def shorten(text: str, most: int = SHOWN_CHARACTERS_MAX) -> str:
    """Cut a text that nobody would read to the end, and make control characters visible."""
    shown = text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"
    return (
        shown
        if shown.isprintable()
        else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)
    )


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "nothing" if value is None else str(value)
