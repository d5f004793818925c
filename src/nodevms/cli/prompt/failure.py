"""What went wrong with an input, and how a person is told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from nodevms.cli.prompt.source import Typed

FRAMES_MAX: Final = 8
LINE_MAX: Final = 100
STACK_LINES_MAX: Final = 31
_FRAME: Final = re.compile(r"at (?:(.*?) \()?<input>:(\d+):(\d+)\)?")
_OWN_FRAME: Final = re.compile(r"\n\s+at (?:[^\n]* \(script\.js:\d+:\d+\)|eval \(native\))")

Origin = Literal["input", "script", "server", "connection", "limit", "interrupt"]


@dataclass(frozen=True, slots=True)
class Place:
    """A position in what was typed.

    Attributes:
        function: The function that it is in.
        text: The line's text.
        line: From 1.
        column: In characters, from 1.
        callee: What is called there, as it was typed; empty for anything else.
    """

    function: str
    text: str
    line: int
    column: int
    callee: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """An input's error.

    Attributes:
        title: ``Name: message``, or the text of a value that is no Error.
        origin: Who raised it: the typed input, the backend's script, its server, the connection,
            a limit of the prompt's own engine, or the person who pressed Ctrl-C.
        places: Where in the typed input, innermost first.
        code: Its own code, or None.
        seq: The call's entry in the call log, or None.
        stack: Lines about where in the backend's script it was made, if the backend tells.
    """

    title: str
    origin: Origin = "input"
    places: tuple[Place, ...] = ()
    code: str | float | None = None
    seq: int | None = None
    stack: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 for an expression that failed, 3 for a call that could not be made."""
        return {"connection": 3, "interrupt": 130}.get(self.origin, 1)

    def lines(self) -> tuple[str, tuple[str, ...]]:
        """Return the title and the lines below it."""
        below: list[str] = []
        if self.places:
            below += _snippet(self.places[0])
            if len(self.places) > 1:
                below += [f"    at {p.function} ({p.line}:{p.column})" for p in self.places]
        if self.origin == "script":
            below += self.stack
            entry = "" if self.seq is None else f"; entry {self.seq} of its call log"
            below.append(f"    from the backend's script{entry}")
        elif self.origin == "server":
            below.append("    from the server; the script did not end this call")
        return self.title, tuple(below)


class Inputs:
    """The inputs of a session, each at lines of its own, so that a stack names the right one."""

    FIRST_LINE: Final = 1000
    LINE_MAX: Final = 30_000

    def __init__(self) -> None:
        self._inputs: list[tuple[int, Typed]] = []
        self._next = self.FIRST_LINE

    def place(self, typed: Typed) -> str:
        """Take an input up and return its code with empty lines before it."""
        if self._next > self.LINE_MAX:
            self._inputs.clear()
            self._next = self.FIRST_LINE
        self._inputs.append((self._next, typed))
        before = "\n" * self._next
        self._next += typed.code.count(b"\n") + 1
        return before + typed.code.decode()

    def failure(self, told: Mapping[str, object]) -> Failure:
        """Return the failure for an Error as ``script.js`` tells it."""
        code, seq, origin = told.get("code"), told.get("seq"), told.get("origin")
        name, message = str(told.get("name") or "Error"), str(told.get("message") or "")
        places = self._places(str(told.get("stack") or ""))
        if message == "not a function" and places and (callee := places[0].callee):
            message = f"{callee} is not a function"
        shows_code = code is not None and origin != "connection" and str(code) not in message
        title = f"{name} [{code}]" if shows_code else name
        failure = Failure(
            f"{title}: {message}" if message else title,
            code=code if isinstance(code, str | float) else None,
            seq=seq if isinstance(seq, int) else None,
        )
        if origin == "script":
            stack = str(told.get("stack") or "").splitlines()[:STACK_LINES_MAX]
            return replace(failure, origin="script", stack=tuple(stack))
        for known in ("server", "connection"):
            if origin == known:
                return replace(failure, origin=known)
        return replace(failure, places=places)

    def tidy(self, text: str) -> str:
        """Return a shown value with the stacks in it leading into what was typed only."""
        if "<input>" not in text and "script.js" not in text:
            return text
        return _FRAME.sub(self._tidy_frame, _OWN_FRAME.sub("", text))

    def _tidy_frame(self, frame: re.Match[str]) -> str:
        place = next(iter(self._places(frame[0])), None)
        return frame[0] if place is None else f"at {place.function} ({place.line}:{place.column})"

    def _places(self, stack: str) -> tuple[Place, ...]:
        places: list[Place] = []
        for frame in _FRAME.finditer(stack):
            line, column = int(frame[2]), int(frame[3])
            found = [one for one in self._inputs if one[0] < line]
            if not found or len(places) == FRAMES_MAX:
                continue
            base, typed = found[-1]
            at = typed.offset(line - base, column)
            typed_line, typed_column = typed.position(at)
            text = typed.text.decode("utf-8", "replace").split("\n")[typed_line - 1]
            function = (frame[1] or "<input>").replace("<eval>", "<input>")
            places.append(Place(function, text, typed_line, typed_column, typed.callee(at)))
        return tuple(places)


def _snippet(place: Place) -> list[str]:
    text, at = place.text.replace("\t", " "), place.column - 1
    if len(text) > LINE_MAX:
        start = max(0, at - LINE_MAX // 2)
        text, at = text[start : start + LINE_MAX], at - start
    return [f"    {text}", "    " + " " * at + "^"]
