"""A script's source as people are shown it: the line of a place with a caret, and stacks.

The engine calls every script ``script.js`` and counts columns in bytes of UTF-8. People know the
script by its file's name and count characters, as editors and Python do (a pair of surrogates is
one). What is shown comes from a script that nobody trusts: control characters become escapes, and
every length and count is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from itertools import accumulate
from typing import Final

from nodevms.vm.script import Script

SHOWN_CHARACTERS_MAX: Final = 100
BEFORE_CHARACTERS_MAX: Final = 60
FRAMES_MAX: Final = 30
FRAME_CHARACTERS_MAX: Final = 300
STEP_CHARACTERS: Final = 256
"""So many characters are counted to find a column, however long its line is."""
CALL_CHARACTERS_MAX: Final = 100
"""Within so many characters before a place, a call of ``super`` is seen."""

_FRAME: Final = re.compile(
    r"^( +at [^\n]*?)script\.js:(\d{1,7}):(\d{1,7})(?=\)?[\]}),{ ]*$)", re.MULTILINE
)
_MADE_BY_SUPER: Final = re.compile(r"super\s*\($")
_CLASS: Final = re.compile(r"class\b")


class SourceText:
    """Finds and shows places in a script.

    Args:
        script: The script. Its name is what people read in stacks.
    """

    def __init__(self, script: Script) -> None:
        self._name: Final = script.name
        self._code: Final = script.code
        self._split: list[str] | None = None
        self._starts: dict[int, list[int]] = {}

    def line(self, number: int) -> str:
        """Return a line, counted from 1, without its end; empty if there is none."""
        if self._split is None:  # most scripts never fail, and some have a hundred thousand lines
            lines = self._code.removeprefix("\ufeff").split("\n")
            self._split = [line.rstrip("\r") for line in lines]
        lines = self._split
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def column(self, line: int, column: int) -> int:
        """Turn the engine's column, in bytes from 1, into one in characters from 1.

        Its time does not grow with the line: a script may name as many places as it can print.
        """
        text, offset = self.line(line), max(0, column - 1)
        if text.isascii():
            return min(offset, len(text)) + 1
        starts = self._starts.get(line)
        if starts is None:
            starts = self._starts[line] = _starts(text)
        step = bisect_right(starts, offset) - 1
        before = step * STEP_CHARACTERS
        piece = text[before : before + STEP_CHARACTERS].encode()[: offset - starts[step]]
        return min(before, len(text)) + len(piece.decode("utf-8", "ignore")) + 1

    def excerpt(self, line: int, column: int) -> str | None:
        """Return a line with a caret below one of its characters; None if it is not there.

        Of a long line, such as a bundle's, the part around the column is shown.

        Args:
            line: From 1.
            column: In characters, from 1; one past the end is the place of what is missing.
        """
        text, at = self.line(line), column - 1
        if not text.strip() or not 0 <= at <= len(text):
            return None
        start = max(0, min(at - BEFORE_CHARACTERS_MAX, len(text) - SHOWN_CHARACTERS_MAX))
        end = start + SHOWN_CHARACTERS_MAX
        before = ("…" if start else "") + _shown(text[start:at])
        after = _shown(text[at:end]) + ("…" if end < len(text) else "")
        blank = "".join("\t" if c == "\t" else " " * _width(c) for c in before)
        return f"{before}{after}\n{blank}^"

    def place(self, stack: str) -> tuple[int, int] | None:
        """Return line and column, in characters, of where an Error of this stack was made.

        The constructors of a class of errors are passed over: whoever throws is meant.
        """
        frames = [(int(f[2]), int(f[3])) for f in _FRAME.finditer(stack)]
        places = [(line, self.column(line, column)) for line, column in frames[:FRAMES_MAX]]
        while len(places) > 1 and self._makes_an_error(*places[0]):
            places.pop(0)
        return places[0] if places else None

    def frames(self, stack: str | None) -> str:
        """Return the engine's stack as people read it, at most so many lines of such a length."""
        lines = (stack or "").strip("\n").split("\n")
        cut = [
            line if len(line) <= FRAME_CHARACTERS_MAX else line[:FRAME_CHARACTERS_MAX] + "…"
            for line in map(self.readable, lines[:FRAMES_MAX])
        ]
        more = len(lines) - len(cut)
        return "\n".join([*cut, f"    … {more} more"] if more else cut)

    def readable(self, text: str) -> str:
        """Return a text with the script's own name and columns in every frame of a stack."""

        def renamed(frame: re.Match[str]) -> str:
            line = int(frame[2])
            return f"{frame[1]}{self._name}:{line}:{self.column(line, int(frame[3]))}"

        return _FRAME.sub(renamed, text) if "script.js:" in text else text

    def printed(self, level: str, text: str) -> str:
        """Return what a script printed as the host's log shows it.

        What nobody caught, of which the guest tells the console, gets its line of the source.
        """
        if level == "error" and text.startswith("Uncaught ") and (found := _FRAME.search(text)):
            place = self.place(text)
            excerpt = self.excerpt(*place) if place else None
            if excerpt is not None:
                text = f"{text[: found.start()]}{excerpt}\n{text[found.start() :]}"
        return self.readable(text)

    def _makes_an_error(self, line: int, column: int) -> bool:
        text = self.line(line)
        at = column - 1
        before = text[max(0, at - CALL_CHARACTERS_MAX) : at].rstrip()
        return bool(_MADE_BY_SUPER.search(before) or _CLASS.match(text, at))


def _starts(text: str) -> list[int]:
    """Return at which bytes of UTF-8 the steps of a line begin, and the last one ends."""
    steps = range(0, len(text), STEP_CHARACTERS)
    sizes = (len(text[at : at + STEP_CHARACTERS].encode()) for at in steps)
    return list(accumulate(sizes, initial=0))


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def _width(character: str) -> int:
    """Return how many columns of a terminal a character takes (UAX 11)."""
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
