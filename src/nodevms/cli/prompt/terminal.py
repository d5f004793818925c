"""Inputs from a person at a terminal."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import click
from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from nodevms.cli.prompt.commands import is_command
from nodevms.cli.prompt.completeness import needs_more
from nodevms.cli.prompt.completion import PromptCompleter
from nodevms.cli.prompt.session import Session

HISTORY_FILE_MODE = 0o600


class Terminal:
    """A prompt with history, completion and inputs of several lines.

    Args:
        session: Tells what is whole and what completes, and has timers to fire.
        folder: Where the history is kept, in a file that only its owner reads.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        self._session = session
        self._prompt: PromptSession[str] = PromptSession(
            "> ",
            multiline=True,
            prompt_continuation="... ",
            completer=PromptCompleter(session),
            complete_while_typing=False,
            history=_open_history(folder),
            key_bindings=self._keys(),
        )

    def inputs(self) -> Iterator[str]:
        """Yield one input after the other, until Ctrl-D."""
        while True:
            try:
                text = self._prompt.prompt(pre_run=self._watch_timers)
            except KeyboardInterrupt:
                if not self._prompt.default_buffer.text:
                    click.echo("(To leave, press Ctrl-D or type .exit)")
                continue
            except EOFError:
                return
            if text.strip():
                yield text

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            buffer = event.current_buffer
            if buffer.complete_state is not None:
                buffer.complete_state = None
            text = buffer.text
            if is_command(text) or not needs_more(text, self._session.check):
                buffer.validate_and_handle()
            else:
                buffer.newline(copy_margin=False)

        return keys

    def _watch_timers(self) -> None:
        get_app().create_background_task(self._fire_timers())

    async def _fire_timers(self) -> None:
        while self._session.timer_ms is not None:
            await asyncio.sleep(self._session.timer_ms / 1000)
            await run_in_terminal(self._session.tick)


def _open_history(folder: Path) -> History:
    """Open the history's file; without one that can be written, remember this session's inputs."""
    path = folder / "repl-history"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, HISTORY_FILE_MODE))
        path.chmod(HISTORY_FILE_MODE)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))
