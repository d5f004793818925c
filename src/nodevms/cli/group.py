"""The group of all commands: loads each when it is asked for, and ends every failure properly."""

from __future__ import annotations

import errno
import importlib
import os
from collections.abc import Mapping
from typing import Any, Final

import click

from nodevms.cli.colour import colour_wish
from nodevms.cli.error_report import report_error
from nodevms.cli.printable import printable
from nodevms.cli.standard_output import stop_writing
from nodevms.cli.streams import open_missing_streams
from nodevms.errors import NodeVMSError

TRACEBACK_VARIABLE: Final = "NODEVMS_TRACEBACK"
INTERRUPTED: Final = 130
COULD_NOT: Final = 3


class LazyGroup(click.Group):
    """Commands by the module that has each as ``command``, so that every one starts fast.

    Args:
        modules: The module of each command, below ``nodevms.cli``.
    """

    def __init__(self, *args: Any, modules: Mapping[str, str], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._modules = modules

    def main(self, *args: Any, **settings: Any) -> Any:
        """Run, with three standard streams, whoever started us."""
        open_missing_streams()
        return super().main(*args, **settings)

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(self._modules)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        module = self._modules.get(name)
        if module is None:
            return None
        command = importlib.import_module(f"nodevms.cli.{module}").command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is asked for; an unknown one is told the nearest."""
        if args[0][:1] != "-" and args[0] not in self._modules and not ctx.resilient_parsing:
            if args[0].endswith((".js", ".cjs", ".mjs")):
                raise click.UsageError(f"To serve a script: nodevms exec {' '.join(args)}", ctx)
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self._modules, ctx=ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. Nothing that it raises reaches the user as a traceback."""
        ctx.color = colour_wish(os.environ)
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except NodeVMSError as error:
            report_error(error)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                stop_writing()
                ctx.exit(0)
            if os.environ.get(TRACEBACK_VARIABLE):
                raise
            if isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename:
                stop_writing()
                click.secho("nodevms: the output cannot be written: the disk is full", err=True)
                ctx.exit(COULD_NOT)
            found = printable(f"{type(error).__name__}: {error}")
            click.secho(f"nodevms: internal error: {found}", fg="red", err=True)
            click.echo(f"{TRACEBACK_VARIABLE}=1 shows where. Please report it.", err=True)
            ctx.exit(COULD_NOT)
