"""``nodevms completion``: what makes a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_NODEVMS_COMPLETE"


@click.command(short_help="Print what makes a shell complete commands.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash, in ~/.bashrc:                    eval "$(nodevms completion bash)"
    zsh, in ~/.zshrc, after compinit:      eval "$(nodevms completion zsh)"
    fish, in ~/.config/fish/config.fish:   nodevms completion fish | source

    Bash has to be of version 4.4 or later.
    """  # noqa: D301
    from nodevms.cli import main

    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    click.echo(found(main, {}, "nodevms", VARIABLE).source())
