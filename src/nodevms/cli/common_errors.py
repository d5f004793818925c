"""How a command ends when something is wrong: one sentence, a hint, and the right exit code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import click

from nodevms.cli.printable import printable
from nodevms.errors import NodeVMSError

P = ParamSpec("P")
R = TypeVar("R")


def report_error(error: NodeVMSError) -> None:
    """Print an error and its hint on standard error."""
    click.secho(f"nodevms: {printable(str(error))}", fg="red", err=True)
    if error.hint:
        click.echo(printable(error.hint), err=True)


def exits(function: Callable[P, R]) -> Callable[P, R]:
    """Turn the errors of a command into a message and an exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except NodeVMSError as error:
            report_error(error)
            sys.exit(error.exit_code)

    return run
