"""``nodevms exec``: serve a backend script."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nodevms.cli.host_log import HostLog, JsonLines, TextLines
from nodevms.cli.network_options import NetworkWish, dht_options, swarm_port_option
from nodevms.cli.serving import Serving, serve
from nodevms.vm.limits import parse_limits
from nodevms.vm.running import QUEUE_MAX
from nodevms.vm.script import read_script

if TYPE_CHECKING:
    from nodevms.vm.allowed_hosts import AllowedHosts

_STANDARD_ERROR: Final = 2


@click.command(name="exec", short_help="Serve a backend script.")
@click.argument("script", type=click.Path(path_type=Path))
@click.option(
    "-p",
    "--port",
    default=5555,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 for any free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="The backend's directory; by default the script's name without its ending, in the "
    "current folder.",
)
@click.option("--title", help="Title of the backend, fixed when it is begun.")
@click.option("-d", "--debug", is_flag=True, help="Let callers name themselves, as ?user= says.")
@click.option("--upgrade", is_flag=True, help="Replace the script of an existing backend.")
@click.option(
    "--allow-origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    help="Let web pages of this origin call; may be repeated; * for all.",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=NUMBER",
    help="Change what a call may use, such as gas=500000000; may be repeated.",
)
@click.option(
    "--allow-net",
    "allow_net",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Let oracles send requests to this host, such as api.example.org, *.example.org or "
    "localhost:8080; may be repeated.",
)
@click.option(
    "--queue",
    "queue_max",
    default=QUEUE_MAX,
    show_default=True,
    type=int,
    metavar="CALLS",
    help="How many calls may wait; more are refused.",
)
@click.option(
    "--swarm/--no-swarm",
    "swarm",
    default=True,
    show_default=True,
    envvar="NODEVMS_SWARM",
    help="Share log and files with the Dat network of this computer and of the local network.",
)
@swarm_port_option
@dht_options[0]
@dht_options[1]
@click.option(
    "--log-level",
    default="info",
    show_default=True,
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What to write on standard error; debug shows the stack of all that scripts throw.",
)
@click.option(
    "--log-format",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json"]),
    help="How to write it: lines for people, or one JSON object a line.",
)
def command(
    script: Path,
    port: int,
    host: str,
    directory: Path | None,
    title: str | None,
    debug: bool,
    upgrade: bool,
    origins: tuple[str, ...],
    limits: tuple[str, ...],
    allow_net: tuple[str, ...],
    queue_max: int,
    swarm: bool,
    swarm_port: int,
    dht: bool,
    bootstrap: tuple[str, ...],
    log_level: str,
    log_format: str,
) -> None:
    """Serve the backend SCRIPT.

    Every call, its arguments, its caller and every version of every file are public for ever:
    anybody who can reach the server can read them, and they cannot be taken back.

    A browser shows the files, at every version, below /files/ of the address.

    Ctrl+C or SIGTERM stops the server when every accepted call is answered and logged; a second
    one refuses the calls that have not begun; a third one kills.

    \b
    nodevms exec ./counter.js
    nodevms exec ./counter.js -p 8080 --dir ./my-counter-files
    nodevms exec ./secure-counter.js --debug
    nodevms exec ./counter.js --host 0.0.0.0 --allow-origin https://example.org
    """  # noqa: D301
    settings = Serving(
        script=read_script(script),
        directory=(directory or Path(script.stem)).absolute(),
        host=host,
        port=port,
        title=title,
        debug=debug,
        upgrade=upgrade,
        origins=origins,
        limits=parse_limits(limits),
        allow_net=_allowed(allow_net),
        queue_max=queue_max,
        sharing=NetworkWish((), True, dht, bootstrap) if swarm else None,
        swarm_port=swarm_port,
    )
    with HostLog(_STANDARD_ERROR) as log:
        log.setFormatter(JsonLines() if log_format == "json" else TextLines())
        logging.getLogger().setLevel(log_level.upper() if log_level != "debug" else "INFO")
        logging.getLogger("nodevms").setLevel(log_level.upper())
        asyncio.run(serve(settings, _announce))


def _allowed(listed: tuple[str, ...]) -> AllowedHosts | None:
    """Return the hosts that oracles may ask; None for none."""
    if not listed:
        return None
    from nodevms.vm.allowed_hosts import AllowedHosts

    return AllowedHosts(listed)


def _announce(address: str, directory: Path, files_url: str, log_url: str) -> None:
    click.echo(f"Serving at {address}")
    click.echo(f"Serving directory {click.format_filename(directory)}\n")
    click.echo(f"Files:    {files_url}")
    click.echo(f"Call log: {log_url}")
    sys.stdout.flush()
