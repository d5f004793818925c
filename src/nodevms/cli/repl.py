"""``nodevms repl``: a JavaScript prompt with the backend as ``client``."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nodevms.cli.options import timeout_option, user_option
from nodevms.errors import UsageError

if TYPE_CHECKING:
    from nodevms.cli.prompt.link import Link
    from nodevms.cli.prompt.session import Form, Screen, Session


@click.command(short_help="Call a backend from a JavaScript prompt.")
@click.argument("url")
@user_option
@click.option("-e", "--exec", "expression", help="Evaluate this, print its value, and end.")
@click.option("--json", "as_json", is_flag=True, help="With -e: print the value as JSON.")
@timeout_option
def command(
    url: str, user: str | None, expression: str | None, as_json: bool, timeout: float
) -> None:
    """Call the backend at URL from a JavaScript prompt.

    Expressions run in the engine that runs backend scripts. Promises are awaited, so that
    client.method() shows the answer. Type .help at the prompt for more.

    With -e, only the value goes to standard output, a string as it is. Exits with 1 when the
    expression throws, and with 3 when a call could not be made. From a pipe, each input is
    evaluated as if it were typed, and the worst of these codes is the exit code.

    \b
    nodevms repl localhost:5555
    nodevms repl localhost:5555 --user bob
    nodevms repl localhost:5555 -e 'client.increment()'
    nodevms repl localhost:5555 -e 'client.list()' --json
    """  # noqa: D301
    if as_json and expression is None:
        raise UsageError("--json needs -e", hint="At the prompt, write JSON.stringify(value).")
    if expression is not None:
        sys.exit(_run_one(url, user, timeout, expression, "json" if as_json else "raw"))
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.exit(_run_piped(url, user, timeout))
    _run_prompt(url, user, timeout)


def _run_one(url: str, user: str | None, timeout: float, expression: str, form: Form) -> int:
    from nodevms.cli.prompt.show import TextScreen

    with _session(url, user, timeout, TextScreen(_colour(), values_only=True)) as (session, _):
        failure = session.evaluate(expression, form)
        failed_later = _fire_timers(session)
        return max(failure.exit_code if failure else 0, failed_later)


def _run_piped(url: str, user: str | None, timeout: float) -> int:
    from nodevms.cli.prompt.commands import is_command, run_command
    from nodevms.cli.prompt.piped import inputs_of
    from nodevms.cli.prompt.show import TextScreen

    worst = 0
    with _session(url, user, timeout, TextScreen(_colour())) as (session, link):
        lines = (line.decode("utf-8", "replace") for line in sys.stdin.buffer)
        for text in inputs_of(lines, session.check):
            if is_command(text):
                if not run_command(text, link):
                    return worst
            elif (failure := session.evaluate(text)) is not None:
                worst = max(worst, failure.exit_code)
        return max(worst, _fire_timers(session))


def _run_prompt(url: str, user: str | None, timeout: float) -> None:
    import platformdirs

    from nodevms.cli.prompt.commands import is_command, run_command
    from nodevms.cli.prompt.show import TextScreen
    from nodevms.cli.prompt.terminal import Terminal

    click.echo("Connecting...")
    with _session(url, user, timeout, TextScreen(_colour())) as (session, link):
        click.echo("Connected.")
        click.echo("You can use 'client' object to access the backend.")
        folder = Path(platformdirs.user_state_dir("nodevms", appauthor=False))
        for text in Terminal(session, folder).inputs():
            try:
                if not is_command(text):
                    session.evaluate(text)
                elif not run_command(text, link):
                    return
            except KeyboardInterrupt:
                continue


def _colour() -> bool | None:
    return click.get_current_context().color


@contextmanager
def _session(
    url: str, user: str | None, timeout: float, screen: Screen
) -> Iterator[tuple[Session, Link]]:
    from nodevms.cli.prompt.link import Link
    from nodevms.cli.prompt.session import Session

    link = Link(url, user, timeout_seconds=timeout, notice=screen.notice)
    try:
        link.connect()
        session = Session(link, screen, lambda: time.time_ns() // 1_000_000)
        try:
            yield session, link
        finally:
            session.close()
    finally:
        link.close()


def _fire_timers(session: Session) -> int:
    """Wait for the timers that inputs left, as node does before it ends."""
    worst = 0
    while session.timer_ms is not None:
        time.sleep(session.timer_ms / 1000)
        failure = session.tick()
        worst = max(worst, failure.exit_code if failure else 0)
    return worst
