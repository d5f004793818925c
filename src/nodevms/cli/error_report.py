"""What people read when a command ends with an error of ours: one sentence and a hint."""

from __future__ import annotations

import click

from nodevms.cli.printable import printable
from nodevms.errors import NodeVMSError


def report_error(error: NodeVMSError) -> None:
    """Print an error and its hint on standard error."""
    click.secho(f"nodevms: {printable(str(error))}", fg="red", err=True)
    if error.hint:
        click.echo(printable(error.hint), err=True)
