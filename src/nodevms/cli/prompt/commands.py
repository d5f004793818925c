"""The prompt's own commands, which begin with a dot as in node's."""

from __future__ import annotations

import re
from typing import Final

import click

from nodevms.cli.printable import printable
from nodevms.cli.prompt.link import Link
from nodevms.errors import NodeVMSError

COMMANDS: Final = {
    ".help": "show this",
    ".methods": "list the backend's methods",
    ".info": "say which backend this is",
    ".exit": "leave (so does Ctrl-D)",
}
_LEAVE: Final = (".exit", "exit", "quit")
_COMMAND: Final = re.compile(r"\.[A-Za-z]+\s*$")


def is_command(text: str) -> bool:
    """Tell whether an input is a command and no JavaScript."""
    return text.strip() in _LEAVE or bool(_COMMAND.match(text.strip()))


def signature(name: str, parameters: tuple[str, ...]) -> str:
    """Return ``name(a, b)``."""
    return f"{name}({', '.join(parameters)})"


def run_command(text: str, link: Link) -> bool:
    """Run a command; False if it ends the prompt."""
    name = text.strip()
    if name in _LEAVE:
        return False
    if name == ".methods":
        for method, parameters in link.parameters.items():
            click.echo(printable(signature(f"client.{method}", parameters)))
    elif name == ".info":
        try:
            _print_info(link)
        except NodeVMSError as error:
            click.secho(str(error), fg="red", err=True)
    elif name == ".help":
        _print_help()
    else:
        click.secho(
            f"There is no command {name}. Type .help for those there are.", fg="red", err=True
        )
    return True


def _print_info(link: Link) -> None:
    info = link.info
    click.echo(f"Address:  {link.address}")
    click.echo(f"Title:    {printable(info.title)}")
    click.echo(f"Files:    {printable(info.files_archive_url)}")
    click.echo(f"Call log: {printable(info.call_log_url)}")
    click.echo(f"Script:   sha256:{printable(info.code_hash)}, begun at entry {info.epoch}")
    click.echo(f"Callers:  {'whoever they say they are' if info.debug else 'nobody'}")


def _print_help() -> None:
    click.echo("JavaScript, run in the engine that runs the backend's script. For example:\n")
    click.echo("  client.increment()                  call a method; its answer is awaited")
    click.echo("  const list = await client.list()    keep an answer for later lines")
    click.echo("  _                                   the last value")
    click.echo("\nTab completes, Ctrl-C stops a call or a loop, Ctrl-D leaves.\n")
    for name, meaning in COMMANDS.items():
        click.echo(f"  {name:<10} {meaning}")
