"""What the operator of a backend hears of its script: its output, and how calls ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from nodevms.archive import Change
from nodevms.sandbox import Outcome
from nodevms.vm.call_failure import failure_details, failure_level, failure_title
from nodevms.vm.environment import ConsoleSink
from nodevms.vm.requests import Request
from nodevms.vm.script import Script
from nodevms.vm.source_text import SourceText


@dataclass(frozen=True, slots=True)
class Ran:
    """A call that ran, and is not yet on disk.

    Attributes:
        seq: The position of its entry; None for a read-only call, which has none.
        time_ms: What its ``Date`` showed, in milliseconds since 1970: the entry's time.
        elapsed_ms: How long it ran.
        request: What was asked, and by whom.
        outcome: How it ended.
        changes: What it did to the files.
    """

    seq: int | None
    time_ms: int
    elapsed_ms: float
    request: Request
    outcome: Outcome
    changes: tuple[Change, ...]


Observer: TypeAlias = Callable[[Ran, str], None]
"""Takes a call that ended and, if it failed, the lines about its place in the script.

It is called on the engine's thread, between two calls, and for read-only calls on those that run
them. It must not wait.
"""


class Reporter:
    """Shows places of the script as people know them. Once a script runs, any thread may use it.

    Args:
        console: Takes what the script prints, and failed calls if there is no observer; or None.
        shows: Whether a message of this level is read; if not, none is made.
        observer: Takes every call that ended; or None.
    """

    def __init__(
        self,
        console: ConsoleSink | None,
        shows: Callable[[str], bool],
        observer: Observer | None,
    ) -> None:
        self._console = console
        self._shows = shows
        self._observer = observer
        self._source = SourceText(Script("script.js", ""))

    def begins(self, script: Script) -> None:
        """Take the script that runs from now on."""
        self._source = SourceText(script)

    def printed(self, seq: int | None, level: str, text: str) -> None:
        """Pass on what the script printed."""
        if self._console is not None:
            self._console(seq, level, self._source.printed(level, text))

    def ended(self, ran: Ran) -> None:
        """Tell how a call ended."""
        failed = ran.outcome.error is not None
        if self._observer is not None:
            details = failure_details(ran.outcome, self._source) if failed else ""
            self._observer(ran, details)
        elif failed and self._console and self._shows(level := failure_level(ran.outcome)):
            title = f"{ran.request.method}() failed: {failure_title(ran.outcome)}"
            details = failure_details(ran.outcome, self._source)
            text = f"{title}\n{details}" if details else title
            self._console(ran.seq, level, text)

    def stack(self, outcome: Outcome) -> str | None:
        """Return where in the script the error of a call was made, a line a frame."""
        return self._source.frames(outcome.stack) if outcome.stack else None
