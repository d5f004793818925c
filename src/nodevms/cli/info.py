"""``nodevms info``: what a backend is, from its server or its directory."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click

from nodevms.cli.options import Target, is_directory, timeout_option, user_option
from nodevms.cli.printable import printable
from nodevms.errors import UsageError


@click.command()
@click.argument("target", metavar="URL|DIR", type=Target())
@user_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@timeout_option
def command(target: str, user: str | None, as_json: bool, timeout: float) -> None:
    """Say what the backend at URL, or in DIR, is. Nothing is verified.

    Shows its methods, keys, script, engine, limits, how long its log is and when it was started
    last. The methods of a directory are those that its script exports when it is loaded without
    files.

    \b
    nodevms info localhost:5555
    nodevms info ./counter
    nodevms info ./counter --json
    """  # noqa: D301
    directory = _directory_of(target)
    if directory is None:
        from nodevms.cli.info_url import of_url

        facts = asyncio.run(of_url(target, user, timeout))
    else:
        from nodevms.cli.info_directory import of_directory

        facts = of_directory(directory)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, text in _lines(facts):
        click.echo(click.style(f"{name + ':':<10}", bold=True) + printable(text))


def _directory_of(target: str) -> Path | None:
    """Return the directory that a target names; None for an address.

    Raises:
        UsageError: It looks like a directory and is none.
    """
    path = Path(os.path.expanduser(target))
    if is_directory(str(path)):
        return path
    if "://" not in target and (target.startswith(("/", ".", "~")) or os.path.lexists(path)):
        raise UsageError(f"{target} is not a directory")
    return None


def _lines(facts: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for each line that people see."""
    parameters = cast("dict[str, list[str]]", facts["parameters"])
    methods = [f"{name}({', '.join(names)})" for name, names in parameters.items()]
    yield "Title", str(facts["title"])
    yield "Methods", ("\n" + " " * 10).join(methods) or "none that can be told"
    yield "Files", str(facts["files"])
    yield "Call log", str(facts["callLog"])
    if "entries" in facts:
        yield "Entries", f"{facts['entries']:,}, the last at {facts['lastEntry']}"
        yield "Version", f"{facts['filesVersion']:,} (of the files)"
    started = f", started at {facts['started']}" if "started" in facts else ""
    yield "Epoch", f"{facts['epoch']:,}{started}"
    yield "Script", f"sha256:{facts['codeHash']}"
    if "engine" in facts:
        yield "Engine", f"{facts['engine']}, host API {facts['hostApi']}, format {facts['format']}"
        limits = cast("dict[str, int]", facts["limits"])
        yield "Limits", ", ".join(f"{name} {value:,}" for name, value in limits.items())
    yield "Debug", "yes: callers are whoever they say they are" if facts["debug"] else "no"
    if "version" in facts:
        yield "Server", f"nodevms {facts['version']}"
    if "serving" in facts:
        yield "Serving", "yes" if facts["serving"] else "no"
