"""Options and arguments that several commands have."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

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


class Target(click.ParamType[str]):
    """A backend's address or its directory; the shell completes directories."""

    name = "target"

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete a directory's name."""
        return [CompletionItem(incomplete, type="dir")]
