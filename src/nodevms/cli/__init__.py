"""The command line: one module a command, which imports what it needs when it runs."""

from __future__ import annotations

import sys
from importlib import resources
from typing import Final

import click

from nodevms.cli.group import LazyGroup

MODULES: Final = {
    "exec": "exec_",
    "repl": "repl",
    "verify": "verify",
    "call": "call",
    "info": "info",
    "log": "log",
    "clone": "clone",
    "mirror": "mirror",
    "completion": "completion",
}


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version  # slow, and only this needs it

    hashed = resources.files("nodevms.sandbox").joinpath("guest.wasm.sha256").read_text()
    python = ".".join(map(str, sys.version_info[:3]))
    click.echo(f"nodevms {version('nodevms')}")
    click.echo(f"engine sha256:{hashed.split()[0][:16]}…, Python {python}")
    ctx.exit()


@click.command(
    cls=LazyGroup, modules=MODULES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "-v",
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and the engine's hash.",
)
def main() -> None:
    """Run backend scripts that their users can audit.

    \b
    nodevms exec ./counter.js             serve a script
    nodevms repl localhost:5555           call it
    nodevms verify localhost:5555         check everything it ever answered

    Exit codes: 0 done, 1 the script threw or a claim is proved false, 2 wrong usage, 3 could not be
    done or checked, 130 interrupted.
    """  # noqa: D301


if __name__ == "__main__":
    main()
