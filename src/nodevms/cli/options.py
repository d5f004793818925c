"""Options that several commands have."""

from __future__ import annotations

import math
from typing import Any

import click


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
max_time_option = click.option(
    "--max-time",
    "seconds_max",
    type=Seconds(),
    metavar="SECONDS",
    help="Give up after so long; by default after a day.",
)
max_download_option = click.option(
    "--max-download",
    "bytes_max",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="Fetch at most so much; by default 64 GiB, and never more than the disk has.",
)
patience_option = click.option(
    "--timeout",
    type=Seconds(86400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="In the Dat network: how long nothing may come before it gives up.",
)
timeout_option = click.option(
    "--timeout",
    type=Seconds(86400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer, and for the connection.",
)
