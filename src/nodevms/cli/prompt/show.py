"""Values and errors as text for people, coloured where that is wanted."""

from __future__ import annotations

import re
import sys
from typing import Final

import click

from nodevms.cli.printable import as_it_is, json_for_stdout, printable
from nodevms.cli.prompt.failure import Failure
from nodevms.cli.prompt.session import Screen

_TOKENS: Final = re.compile(
    r"""(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<frame>\n\s+at\ [^\n]*)
    |(?P<key>(?<=[{,\n ])[A-Za-z_$][\w$]*(?=:\ ))
    |(?P<time>\b\d{4,6}-\d\d-\d\dT[\d:.]+Z)
    |(?P<special>\[(?:Function|Class|Circular|Getter|Setter|Object|Array)[^\]\n]*\]|<[^>\n]*>)
    |(?P<symbol>Symbol\([^)\n]*\))
    |(?P<number>(?<![\w$.])-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?n?|NaN|Infinity)(?![\w$]))
    |(?P<boolean>\b(?:true|false)\b)
    |(?P<null>\bnull\b)
    |(?P<undefined>\bundefined\b)""",
    re.VERBOSE,
)
_STYLES: Final[dict[str, dict[str, object]]] = {
    "string": {"fg": "green"},
    "symbol": {"fg": "green"},
    "time": {"fg": "magenta"},
    "special": {"fg": "cyan"},
    "number": {"fg": "yellow"},
    "boolean": {"fg": "yellow"},
    "null": {"bold": True},
    "undefined": {"fg": "bright_black"},
}
_TO_STDERR: Final = ("warn", "error")


def coloured(text: str) -> str:
    """Colour a value that the engine's console shows, as node's prompt does."""

    def style(token: re.Match[str]) -> str:
        found = _STYLES.get(token.lastgroup or "")
        return click.style(token[0], **found) if found else token[0]  # type: ignore[arg-type]

    return _TOKENS.sub(style, text)


class TextScreen(Screen):
    """Standard output for values, standard error for the rest.

    Args:
        colour: Whether to colour; None for terminals only. It is passed on with every text, since
            click's context ends at this thread, and a session shows things on others.
        values_only: Keep what the input prints itself away from standard output as well.
    """

    def __init__(self, colour: bool | None, *, values_only: bool = False) -> None:
        self._colour = colour
        self._values_only = values_only

    def value(self, text: str) -> None:
        """Print a value."""
        click.echo(coloured(printable(text)), color=self._colour)

    def string(self, text: str) -> None:
        """Print a string as it is, but for what could steer a terminal."""
        click.echo(as_it_is(text, sys.stdout), color=True)

    def json(self, text: str) -> None:
        """Print JSON text."""
        click.echo(json_for_stdout(text.encode()))

    def console(self, level: str, text: str) -> None:
        """Print what the input printed, which may be what a backend answered."""
        to_error = self._values_only or level in _TO_STDERR
        shown = as_it_is(text, sys.stderr if to_error else sys.stdout)
        click.echo(shown, err=to_error, color=True)

    def failure(self, failure: Failure) -> None:
        """Print what went wrong."""
        title, below = failure.lines()
        click.secho(printable(title), fg="red", err=True, color=self._colour)
        for line in below:
            click.echo(printable(line), err=True)

    def notice(self, text: str) -> None:
        """Print a sentence about the session."""
        click.secho(printable(text), fg="yellow", err=True, color=self._colour)
