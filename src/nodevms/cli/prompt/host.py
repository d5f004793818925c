"""What the prompt's script asks of its host during one evaluation."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from nodevms.cli.prompt.link import Link
from nodevms.sandbox import NO_ORACLES, Meter, Operation, OutOfGas

_NO_FILES: Final = (
    b'{"error":{"name":"Error","message":"There are no files at the prompt. '
    b"The backend's files are those that its own methods show.\"}}"
)
_DONE: Final = b'{"value":null}\0null'


class Told(Protocol):
    """Who hears what an evaluation tells."""

    def value(self, text: str) -> None:
        """Hear a value, as the engine's console shows it."""

    def string(self, text: str) -> None:
        """Hear a value that is a string."""

    def json(self, text: str) -> None:
        """Hear a value as JSON text."""

    def console(self, level: str, text: str) -> None:
        """Hear what the input itself prints."""

    def failed(self, told: Mapping[str, object] | None, text: str) -> None:
        """Hear an Error as ``script.js`` tells it, or the text of something else thrown."""


@dataclass(frozen=True, slots=True)
class _Showing:
    tell: Callable[[str], None]


class EvaluationHost:
    """Answers one evaluation's requests, on the engine's thread.

    Args:
        link: Where calls go.
        told: Who hears the rest.
        now: Milliseconds since 1970.

    Attributes:
        interrupted: Whether `interrupt` was called.
    """

    def __init__(self, link: Link, told: Told, now: Callable[[], int]) -> None:
        self._link = link
        self._told = told
        self._now = now
        self._answers: SimpleQueue[bytes | None] = SimpleQueue()
        self._sent: list[Future[None]] = []
        self._showing: _Showing | None = None
        self.interrupted = False

    def interrupt(self) -> None:
        """End the evaluation when it waits; any thread may call this."""
        self.interrupted = True
        self._answers.put(None)

    def abandon(self) -> None:
        """Wait for no more answers."""
        for future in self._sent:
            future.cancel()

    def call(self, operation: int, request: bytes, _meter: Meter, /) -> bytes:
        """Answer a request; see :class:`nodevms.sandbox.Host`."""
        if operation == Operation.SEED:
            return secrets.token_hex(8).encode()
        if operation == Operation.CONSOLE:
            level, text = json.loads(request)
            showing, self._showing = self._showing, None
            if showing is None:
                self._told.console(level, text)
            else:
                showing.tell(text)
            return b""
        if operation == Operation.ORACLE:
            return NO_ORACLES
        name, path, *_ = json.loads(request.partition(b"\0")[0])
        try:
            asked = json.loads(path) if name == "readFile" else None
        except (ValueError, RecursionError):
            asked = None
        return self._answer(asked) if isinstance(asked, list) and asked else _NO_FILES

    def _answer(self, asked: list[object]) -> bytes:
        match asked:
            case ["call", int(call_id), str(method), str(arguments)]:
                deliver = self._deliverer(call_id)
                self._sent.append(self._link.send(method, arguments, deliver))
            case ["wait", (None | int() | float()) as milliseconds]:
                return b'{"value":null}\0' + self._wait(milliseconds)
            case ["show"]:
                self._showing = _Showing(self._told.value)
            case ["string", str(text)]:
                self._told.string(text)
            case ["json", str(text)]:
                self._told.json(text)
            case ["failed", None]:
                self._showing = _Showing(lambda text: self._told.failed(None, text))
            case ["failed", dict(told)]:
                self._told.failed(told, "")
            case ["json", None]:
                pass
            case _:
                return _NO_FILES
        return _DONE

    def _deliverer(self, call_id: int) -> Callable[[bytes], None]:
        answers = self._answers
        return lambda answer: answers.put(b"[%d,%b]" % (call_id, answer))

    def _wait(self, milliseconds: float | None) -> bytes:
        answers: list[bytes] = []
        seconds = None if milliseconds is None else milliseconds / 1000
        try:
            while (answer := self._answers.get(timeout=0 if answers else seconds)) is not None:
                answers.append(answer)
        except Empty:
            pass
        if self.interrupted:
            raise OutOfGas  # which undoes the evaluation
        return b'{"now":%d,"answers":[%b]}' % (self._now(), b",".join(answers))
