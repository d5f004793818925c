"""What an audit says when a replay contradicts the log."""

from __future__ import annotations

from dataclasses import dataclass

from nodevms.errors import CouldNotCheckError, NodeVMSError, ProvedFalseError
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


class _EntryError(NodeVMSError):
    """Known to begin at one entry of the call log.

    Attributes:
        entry: The entry, or None where no one entry can be named.
        block: The block of another feed, where it is one that is wrong or cannot be checked.
    """

    block: int | None = None

    def __init__(
        self,
        message: str,
        *,
        entry: int | None,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.entry = entry


class EntryFalseError(_EntryError, ProvedFalseError):
    """Something is false, and ``entry`` is where that begins."""


class EntryUncheckedError(_EntryError, CouldNotCheckError):
    """The check could not go on, and ``entry`` is where it stopped."""


class DivergenceError(EntryFalseError):
    """The log says something that its own replay contradicts."""

    code = "divergence"

    def __init__(self, divergence: Divergence) -> None:
        d = divergence
        super().__init__(
            f"entry {d.seq} ({d.what}): {d.field} differs: "
            f"expected {shorten(d.expected)}, found {shorten(d.found)}",
            entry=d.seq,
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
    by = "" if call.userId is None else f" by {shorten(repr(call.userId), 80)}"
    return f"{shorten(call.methodName, 80)}({shorten(arguments, 80)}){by}"


def shorten(text: str, most: int = SHOWN_CHARACTERS_MAX) -> str:
    """Cut a text that nobody would read to the end, and make control characters visible."""
    return visible(text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)")


def visible(text: str) -> str:
    """Make control characters visible: what a host wrote must not steer a reader's terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "nothing" if value is None else str(value)
