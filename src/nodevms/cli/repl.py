"""``nodevms repl``: a JavaScript prompt with the backend as ``client``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nodevms.cli.common_errors import exits, report_error
from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.cli.repl_session import Session


@click.command()
@click.argument("url")
@click.option("-u", "--user", help="Who calls; only backends in debug mode take a name.")
@click.option("-e", "--exec", "expression", help="Evaluate this, print its value, and end.")
@exits
def command(url: str, user: str | None, expression: str | None) -> None:
    """Call the backend at URL from a JavaScript prompt.

    \b
    nodevms repl localhost:5555
    nodevms repl localhost:5555 --user bob
    nodevms repl localhost:5555 -e 'client.increment()'
    """  # noqa: D301
    from nodevms.cli.repl_session import Session
    from nodevms.rpc import BlockingRPCClient

    quiet = expression is not None
    _say("Connecting...", quiet)
    with BlockingRPCClient() as client:
        client.connect(url, user)
        session = Session(client, lambda: time.time_ns() // 1_000_000)
        try:
            _say("Connected.", quiet)
            if expression is not None:
                _print(session.evaluate(expression))
                return
            click.echo("You can use 'client' object to access the backend.")
            _loop(session, _lines(session.methods))
        finally:
            session.close()


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        click.echo(text)


def _print(text: str) -> None:
    if text:
        click.echo(text)


def _loop(session: Session, lines: Iterable[str]) -> None:
    from nodevms.cli.repl_session import EvaluationError

    for line in lines:
        if line.strip() in (".exit", "exit"):
            return
        if not line.strip():
            continue
        try:
            _print(session.evaluate(line))
        except EvaluationError as error:
            click.secho(str(error), fg="red", err=True)
        except NodeVMSError as error:
            report_error(error)


def _lines(methods: tuple[str, ...]) -> Iterable[str]:
    """Yield the lines that are typed or piped in."""
    if not sys.stdin.isatty():
        for line in sys.stdin:
            yield line.rstrip("\n")
        return
    import platformdirs
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory

    folder = Path(platformdirs.user_state_dir("nodevms", appauthor=False))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = [f"client.{name}" for name in methods]
    prompt: PromptSession[str] = PromptSession(
        "> ",
        history=FileHistory(str(folder / "repl-history")),
        completer=WordCompleter(words, sentence=True),
        complete_while_typing=False,
    )
    while True:
        try:
            yield prompt.prompt()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
