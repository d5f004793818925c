"""Options and arguments that several commands have."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


class Seconds(click.FloatRange):
    """A time above zero; "nan", which is never over, is none."""

    def __init__(self, most: float | None = None) -> None:
        super().__init__(min=0, min_open=True, max=most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no time", param, ctx)
        return number


def is_directory(text: str) -> bool:
    """Tell whether a text, which may be anything, names a directory."""
    try:
        return Path(text).is_dir()
    except OSError:  # it is longer than any name, or lies where nobody may look
        return False


def utf8(text: str) -> str:
    """Return an argument that is UTF-8, as what goes to a server must be.

    Raises:
        UsageError: It is not.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise click.UsageError(f"{text!r} is not UTF-8 text.") from None
    return text


user_option = click.option(
    "-u",
    "--user",
    callback=lambda _ctx, _param, text: text and utf8(text),
    help="Who calls; only backends in debug mode take a name.",
)
timeout_option = click.option(
    "--timeout",
    type=Seconds(86400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer, and for the connection.",
)


class Target(click.ParamType[str]):
    """A backend's address or its directory; the shell completes directories."""

    name = "target"

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete a directory's name."""
        return [CompletionItem(incomplete, type="dir")]
