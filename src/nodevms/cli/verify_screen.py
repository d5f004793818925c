"""What ``nodevms verify`` shows while it works.

The tutorial's lines go to standard output. On a terminal, a bar on standard error shows how far
each step is; nothing of it remains, and off a terminal there is none.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import click

from nodevms.cli.standard_output import stop_writing
from nodevms.errors import CouldNotCheckError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, ProgressColumn

REFRESH_S: Final = 0.05
_SAID: Final = ("call log", "files archive")
"""The downloads that the tutorial's lines name."""


class Screen:
    """Hears of a verification's progress, and shows it.

    Args:
        quiet: Show nothing at all, for programs.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = not quiet and sys.stderr.isatty()
        self._bar: Progress | None = None
        self._step: object = None
        self._next = 0.0
        self._fetched = ""
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Print one of the tutorial's lines.

        Raises:
            CouldNotCheckError: Nobody reads them any more, so nobody waits for the verdict.
        """
        if self._quiet:
            return
        self.close()
        try:
            click.echo(click.style("›", dim=True) + text)
        except BrokenPipeError:
            stop_writing()
            raise CouldNotCheckError(
                "it was interrupted: nobody reads what it prints", code="interrupted"
            ) from None

    def downloading(self, what: str) -> Callable[[int, int], None]:
        """Return what hears of (bytes so far, bytes in all) of a download."""
        return lambda done, total: self._show(f"Downloading {what}", done, total, "bytes")

    def fetching(self, what: str, done: int, total: int) -> None:
        """Show how many bytes of a feed came from the network."""
        if what != self._fetched:
            if what in _SAID and what not in self._said:
                self._said.add(what)
                self.say(f"Downloading {what}...")
            self._fetched = what
        self._show(f"Downloading {what}", min(done, total), total, "bytes")

    def checked(self, name: str, done: int, total: int) -> None:
        """Show how many bytes of a feed were checked."""
        self._show(f"Checking {name}", done, total, "bytes")

    def replaying(self, entries: int) -> None:
        """Say that the replay begins."""
        self.say(f"Replaying {entries} calls...")
        self._entries = entries

    def replayed(self, entries: int) -> None:
        """Show how many entries were replayed."""
        self._show("Replaying", entries, self._entries, "entries")

    def comparing(self) -> None:
        """Say that the replay is over."""
        self.say("Comparing outputs...")

    def close(self) -> None:
        """Take the bar away."""
        bar, self._bar, self._step = self._bar, None, None
        if bar is not None:
            bar.stop()

    def _show(self, step: str, done: int, total: int, unit: str) -> None:
        if not self._terminal or not total:
            return
        now = time.monotonic()
        if step == self._step and now < self._next and done < total:
            return
        self._next = now + REFRESH_S
        if self._bar is None or step != self._step:
            self.close()
            self._bar, self._step = _bar(unit), step
            self._bar.add_task(step, total=total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)


def _bar(unit: str) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.text import Text

    class EntriesPerSecond(ProgressColumn):
        """How fast the replay goes."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:,.0f} entries/s")

    of_unit: list[ProgressColumn] = [DownloadColumn(), TransferSpeedColumn()]
    if unit == "entries":
        of_unit = [MofNCompleteColumn(), EntriesPerSecond()]
    return Progress(
        TextColumn("  {task.description}"),
        BarColumn(),
        *of_unit,
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
