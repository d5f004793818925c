"""The command line."""

from __future__ import annotations

import importlib
import os

import click

_COMMANDS = {
    "exec": "exec_",
    "repl": "repl",
    "verify": "verify",
    "call": "call",
    "info": "info",
}


class _Commands(click.Group):
    """Imports a command when it is asked for, so that each starts fast."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        module = _COMMANDS.get(name)
        if module is None:
            return None
        command = importlib.import_module(f"nodevms.cli.{module}").command
        return command if isinstance(command, click.Command) else None


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "-v", "--version", prog_name="nodevms", package_name="nodevms")
@click.pass_context
def main(context: click.Context) -> None:
    """Run backend scripts that their users can audit.

    \b
    nodevms exec ./counter.js             serve a script
    nodevms repl localhost:5555           call it
    nodevms verify localhost:5555         check everything it ever answered
    """  # noqa: D301
    if os.environ.get("NO_COLOR"):
        context.color = False


if __name__ == "__main__":
    main()
