"""``nodevms exec``: serve a backend script."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.core import ParameterSource

from nodevms.cli.host_log import HostLog, JsonLines, TextLines
from nodevms.cli.network_options import (
    NetworkWish,
    bootstrap_option,
    refuse_bootstrap_alone,
    swarm_port_option,
)
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
@click.option(
    "-d",
    "--debug/--no-debug",
    default=None,
    help="Let callers name themselves, as ?user= says, and tell them the stack of an error; "
    "--dev does.",
)
@click.option(
    "--dev",
    is_flag=True,
    help="While writing the script: serve it from a temporary directory, anew at every change of "
    "its file, and print each call.",
)
@click.option("--keep", is_flag=True, help="With --dev: keep the files when the script changes.")
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
    help="Change what a call may use, such as gas=5000000000; may be repeated.",
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
@click.option("--dht", is_flag=True, help="Announce them in the BitTorrent DHT, too.")
@bootstrap_option
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
    debug: bool | None,
    dev: bool,
    keep: bool,
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
    nodevms exec ./counter.js --dev
    nodevms exec ./counter.js -p 8080 --dir ./my-counter-files
    nodevms exec ./secure-counter.js --debug
    nodevms exec ./price.js --allow-net api.example.org --limit gas=5000000000
    nodevms exec ./counter.js --host 0.0.0.0 --allow-origin https://example.org
    """  # noqa: D301
    refuse_bootstrap_alone(bootstrap, dht=dht)
    if dht and not swarm:
        raise click.UsageError(
            "--dht shares log and files, and --no-swarm (or NODEVMS_SWARM=no) shares nothing."
        )
    _check_dev(dev, keep, directory, upgrade)
    settings = Serving(
        script=read_script(script),
        directory=(directory or Path(script.stem)).absolute(),
        host=host,
        port=port,
        title=title,
        debug=dev if debug is None else debug,
        upgrade=upgrade,
        origins=origins,
        limits=parse_limits(limits),
        allow_net=_allowed(allow_net),
        queue_max=queue_max,
        sharing=NetworkWish((), True, dht, bootstrap) if _shares(swarm, dev, dht) else None,
        swarm_port=swarm_port,
    )
    with HostLog(_STANDARD_ERROR) as log:
        colour = _colour()
        log.setFormatter(_format(log_format, dev, colour))
        logging.getLogger().setLevel(log_level.upper() if log_level != "debug" else "INFO")
        logging.getLogger("nodevms").setLevel(log_level.upper())
        if dev:
            _develop(settings, script, keep=keep, colour=colour and log_format == "text")
        else:
            asyncio.run(serve(settings, _announce))


def _check_dev(dev: bool, keep: bool, directory: Path | None, upgrade: bool) -> None:
    if keep and not dev:
        raise click.UsageError("--keep is for --dev; without that, files are always kept.")
    if dev and directory is not None:
        raise click.UsageError(
            "--dev serves from a temporary directory, which is removed at the end. "
            "Leave --dir out, or --dev."
        )
    if dev and upgrade:
        raise click.UsageError(
            "--dev takes every change of the script; --keep keeps the files then."
        )


def _shares(swarm: bool, dev: bool, dht: bool) -> bool:
    """Tell whether to join the network; a throw-away backend does if that is asked for."""
    source = click.get_current_context().get_parameter_source("swarm")
    asked = source is ParameterSource.COMMANDLINE or dht
    return swarm and (asked or not dev)


def _colour() -> bool:
    wish = click.get_current_context().color
    return os.isatty(_STANDARD_ERROR) if wish is None else wish


def _format(log_format: str, dev: bool, colour: bool) -> logging.Formatter:
    if log_format == "json":
        return JsonLines()
    if not dev:
        return TextLines()
    from nodevms.cli.dev.lines import DevLines

    return DevLines(colour)


def _develop(settings: Serving, script: Path, *, keep: bool, colour: bool) -> None:
    import tempfile

    from nodevms.cli.dev.place import TemporaryPlace
    from nodevms.cli.dev.session import Development, Wish

    def announce(address: str, directory: Path) -> None:
        click.echo(f"Serving at {address}")
        click.echo(f"Serving directory {click.format_filename(directory)}, removed at the end\n")
        click.echo(f"Watching {click.format_filename(script)}")
        sys.stdout.flush()

    with TemporaryPlace(Path(tempfile.gettempdir())) as place:
        wish = Wish(script, keep, colour)
        asyncio.run(Development(settings, wish, place).run(announce))


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
