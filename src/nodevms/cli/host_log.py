"""The host's log: lines on a descriptor, written by a thread of their own.

Whoever logs never waits, even if nobody reads what comes out: the script's console is written from
the one thread that runs calls. What finds no place is counted and dropped.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Final, Self

WAITING_BYTES_MAX: Final = 4 * 1024 * 1024
PATIENCE_S: Final = 1.0
"""How long the end of the program waits for a reader of the log."""


class TextLines(logging.Formatter):
    """``logger: entry 12: message``, for people; the entry only where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, or with a traceback several."""
        seq = getattr(record, "seq", None)
        place = f"{record.name}: " if seq is None else f"{record.name}: entry {seq}: "
        return place + super().format(record)


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time``, ``level``, ``logger``, ``seq`` if any, ``message``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {"time": time, "level": record.levelname.lower()}
        line["logger"] = record.name
        if (seq := getattr(record, "seq", None)) is not None:
            line["seq"] = seq
        line["message"] = super().format(record)
        return json.dumps(line)


class HostLog(logging.Handler):
    """Writes log records to a descriptor; as a context, it is the root logger's handler."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="nodevms-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put a record into the queue of lines, or count it if that is full."""
        line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        with self._changed:
            if self._bytes + len(line) > WAITING_BYTES_MAX:
                self._dropped += 1
                return
            self._lines.append(line)
            self._bytes += len(line)
            self._changed.notify()

    def close(self) -> None:
        """Write what waits, as long as somebody reads it."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(PATIENCE_S)
        super().close()

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger().removeHandler(self)
        self.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._lines and not self._closing:
                    self._changed.wait()
                if not self._lines:
                    return
                text, dropped = b"".join(self._lines), self._dropped
                self._lines.clear()
                self._bytes = self._dropped = 0
            if dropped:
                text += b"nodevms: %d log lines dropped, because nobody read them\n" % dropped
            self._write(text)

    def _write(self, text: bytes) -> None:
        try:
            while text:
                text = text[os.write(self._descriptor, text) :]
        except OSError:
            return  # nobody reads any more, or the log's own disk is full
