"""The script's console: lines in the host's log, never more than the log can take."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

BURST_BYTES: Final = 1024 * 1024
BYTES_PER_SECOND: Final = 16 * 1024
LINE_BASE_BYTES: Final = 100
"""What a line costs beside its own bytes: its name and place, and an empty line is one too."""
LINE_CHARACTERS_MAX: Final = 4096

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


class Console:
    """Passes what the script prints to a logger: a burst, then so many bytes a second.

    Once it has printed too much, everything is dropped until a second's worth may be printed
    again, and then a line says how much was dropped. Control characters are shown as escapes, so
    that a script cannot write to the operator's terminal. Each record has the entry as
    ``seq``, None for a read-only call.
    """

    def __init__(self, logger: logging.Logger, now: Callable[[], float]) -> None:
        self._logger = logger
        self._lock = threading.Lock()
        self._now = now
        self._then = now()
        self._left: float = BURST_BYTES
        self._dropped = 0

    def shows(self, level: str) -> bool:
        """Tell whether messages of this level are written at all."""
        return self._logger.isEnabledFor(_LEVELS.get(level, logging.INFO))

    def __call__(self, seq: int | None, level: str, text: str) -> None:
        """Log one message of the script. Any thread may call it.

        Args:
            seq: The entry of the call that prints; None for a read-only call, which has none.
            level: ``debug``, ``warn`` or ``error``; everything else is information.
            text: Any number of lines.
        """
        with self._lock:
            self._print(seq, _LEVELS.get(level, logging.INFO), text)

    def _print(self, seq: int | None, number: int, text: str) -> None:
        if not self._logger.isEnabledFor(number) or not self._open(text):
            return
        where = {"seq": seq}
        lines = text.split("\n")
        for at, line in enumerate(lines):
            if self._left <= 0:
                self._dropped = len(lines) - at
                return
            shown = _printable(line)
            self._left -= LINE_BASE_BYTES + len(shown)
            self._logger.log(number, "%s", shown, extra=where)

    def _open(self, text: str) -> bool:
        """Earn what the time allows, and tell whether printing is on."""
        now = self._now()
        earned = (now - self._then) * BYTES_PER_SECOND
        self._left, self._then = min(BURST_BYTES, self._left + earned), now
        if self._dropped and self._left < BYTES_PER_SECOND:
            self._dropped += text.count("\n") + 1
            return False
        if self._dropped:
            self._logger.warning("%d lines of the script's output dropped", self._dropped)
            self._dropped = 0
        return True


def _printable(line: str) -> str:
    if len(line) > LINE_CHARACTERS_MAX:
        line = line[:LINE_CHARACTERS_MAX] + "…"
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line)
