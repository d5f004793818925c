"""``nodevms info``: what a backend is, from its server or its directory."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Final, cast

import click

from nodevms.cli.options import timeout_option, user_option
from nodevms.cli.printable import printable
from nodevms.cli.target import Target, directory_of, taken_for_an_address

_BELOW: Final = "\n" + " " * 10


@click.command(short_help="Say what a backend is; verify nothing.")
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
    directory = directory_of(target)
    if directory is None:
        from nodevms.cli.info_url import of_url

        with taken_for_an_address(target):
            facts = asyncio.run(of_url(target, user, timeout))
    else:
        from nodevms.cli.info_directory import of_directory

        facts = of_directory(directory)
    if as_json:
        click.echo(json.dumps(facts))
        return
    for name, text in _lines(facts):
        click.echo(click.style(f"{name + ':':<10}", bold=True) + printable(text))


def _option(name: str) -> str:
    """Return a limit's name as ``exec --limit`` takes it."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def _lines(facts: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Yield a label and a text for each line that people see."""
    parameters = cast("dict[str, list[str]]", facts["parameters"])
    readonly = cast("list[str]", facts["readonly"])
    methods = [
        f"{name}({', '.join(names)}){' read-only' if name in readonly else ''}"
        for name, names in parameters.items()
    ]
    yield "Title", str(facts["title"])
    yield "Methods", _BELOW.join(methods) or "none that can be told"
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
        shown = [f"{_option(name)} {value:,}" for name, value in limits.items()]
        yield "Limits", _BELOW.join(shown)
    yield "Debug", "yes: callers are whoever they say they are" if facts["debug"] else "no"
    if "version" in facts:
        yield "Server", f"nodevms {facts['version']}"
    if "serving" in facts:
        yield "Serving", "yes" if facts["serving"] else "no"
