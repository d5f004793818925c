"""The script's console: lines in the host's log, never more than the log can take."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

LINES_PER_SECOND: Final = 100
LINE_CHARACTERS_MAX: Final = 4096

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


class Console:
    """Passes what the script prints to a logger, so many lines a second and no more.

    Control characters are shown as escapes, so that a script cannot write to the operator's
    terminal. What was dropped is counted in a line of its own.
    """

    def __init__(self, logger: logging.Logger, now: Callable[[], float]) -> None:
        self._logger = logger
        self._now = now
        self._second = 0
        self._lines = 0
        self._dropped = 0

    def __call__(self, level: str, text: str) -> None:
        """Log one message of the script."""
        second = int(self._now())
        if second != self._second:
            if self._dropped:
                self._logger.warning("%d lines of the script's output dropped", self._dropped)
            self._second, self._lines, self._dropped = second, 0, 0
        for line in text.split("\n"):
            self._lines += 1
            if self._lines > LINES_PER_SECOND:
                self._dropped += 1
                continue
            self._logger.log(_LEVELS.get(level, logging.INFO), "%s", _printable(line))


def _printable(line: str) -> str:
    if len(line) > LINE_CHARACTERS_MAX:
        line = line[:LINE_CHARACTERS_MAX] + "…"
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line)
