"""What a developer reads at the terminal: each call as it ends, and what the script printed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import click

from nodevms.archive import Change
from nodevms.cli.host_log import TextLines
from nodevms.cli.printable import printable
from nodevms.vm.call_failure import failure_title
from nodevms.vm.reporter import Ran
from nodevms.vm.requests import Method

JSON_CHARACTERS_MAX: Final = 120
TITLE_CHARACTERS_MAX: Final = 500
PATHS_MAX: Final = 5
METHODS_MAX: Final = 50
METHOD_CHARACTERS_MAX: Final = 100

SCRIPT_LOGGER: Final = "nodevms.script"
DEV_LOGGER: Final = "nodevms.dev"

_COLOURS: Final = {logging.DEBUG: "bright_black", logging.WARNING: "yellow", logging.ERROR: "red"}


class CallLines:
    """Logs each call of a backend: time, caller, call, how it ended, what it took and changed.

    Args:
        colour: Whether to colour.
    """

    def __init__(self, colour: bool) -> None:
        self._colour = colour
        self._log = logging.getLogger(DEV_LOGGER)

    def __call__(self, ran: Ran, details: str) -> None:
        """Log one call; an `Observer`."""
        request, failed = ran.request, ran.outcome.error is not None
        time = datetime.fromtimestamp(ran.time_ms / 1000).astimezone().strftime("%H:%M:%S")
        caller = "" if request.caller is None else f"{_line(request.caller, 100)}: "
        arguments = _json(request.arguments[1:-1])
        call = self._style(f"{_line(request.method, 100)}({arguments})", bold=True)
        end = self._style(_end(ran), fg="red" if failed else "green")
        costs = [f"{ran.elapsed_ms:.1f} ms", f"{ran.outcome.gas:,} gas"]
        costs += ["read-only"] if ran.seq is None else _paths(ran.changes)
        below = self._style(f"  {', '.join(costs)}", fg="bright_black")
        lines = [f"{self._style(time, fg='bright_black')} {caller}{call} → {end}{below}"]
        lines += [f"    {printable(line)}" for line in details.splitlines()]
        level = logging.WARNING if failed else logging.INFO
        self._log.log(level, "%s", "\n".join(lines), extra={"seq": ran.seq})

    def _style(self, text: str, **style: object) -> str:
        return click.style(text, **style) if self._colour else text  # type: ignore[arg-type]


class DevLines(TextLines):
    """Lines for a developer: the script's output indented, calls without a name before them.

    Args:
        colour: Whether to colour.
    """

    def __init__(self, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, or several."""
        if record.name == DEV_LOGGER:
            return logging.Formatter.format(self, record)
        if record.name != SCRIPT_LOGGER or not hasattr(record, "seq"):
            return super().format(record)
        text = f"    {logging.Formatter.format(self, record)}"
        colour = _COLOURS.get(record.levelno)
        return click.style(text, fg=colour) if self._colour and colour else text


def methods_line(methods: Sequence[Method]) -> str:
    """Return what a script exports, in one line: its names are the script's to choose."""
    names = [
        _line(f"{method.name}({', '.join(method.parameters)})", METHOD_CHARACTERS_MAX)
        + " read-only" * method.readonly
        for method in methods[:METHODS_MAX]
    ]
    more = len(methods) - len(names)
    return ", ".join([*names, f"{more} more"] if more else names)


def _end(ran: Ran) -> str:
    outcome = ran.outcome
    if outcome.error is not None:
        return _line(failure_title(outcome), TITLE_CHARACTERS_MAX)
    return "undefined" if outcome.result is None else _json(outcome.result)


def _json(text: bytes) -> str:
    """Return the beginning of a JSON text; no more of it is decoded than is shown."""
    start = text[: 4 * JSON_CHARACTERS_MAX].decode("utf-8", "ignore")
    return _line(start, JSON_CHARACTERS_MAX, more=len(text) > 4 * JSON_CHARACTERS_MAX)


def _line(text: str, characters_max: int, *, more: bool = False) -> str:
    cut = text[:characters_max]
    shown = printable(cut).replace("\n", "\\n").replace("\t", "\\t")
    return f"{shown}…" if more or len(cut) < len(text) else shown


def _paths(changes: tuple[Change, ...]) -> list[str]:
    names = [
        f"{_line(change.path, 100)}{' deleted' if change.kind == 'deleted' else ''}"
        for change in changes[:PATHS_MAX]
    ]
    more = len(changes) - len(names)
    return [*names, f"{more} more paths"] if more else names
