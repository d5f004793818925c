"""Options that several commands have."""

from __future__ import annotations

import click

user_option = click.option(
    "-u", "--user", help="Who calls; only backends in debug mode take a name."
)
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=86400),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for an answer, and for the connection.",
)
