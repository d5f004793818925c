"""``nodevms exec``: serve a backend script."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path

import click

from nodevms.cli.common_errors import exits
from nodevms.vm.limits import Limits, parse_limits
from nodevms.vm.script import Script, read_script

SWITCH_INTERVAL_S = 0.0002
"""How long a thread of ours may keep the others waiting: calls pass through three of them."""


@click.command(name="exec")
@click.argument("script", type=click.Path(path_type=Path))
@click.option("-p", "--port", default=5555, show_default=True, type=click.IntRange(0, 65535))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="The backend's directory; by default the script's name without its ending.",
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
@exits
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
) -> None:
    """Serve the backend SCRIPT.

    Every call, its arguments, its caller and every version of every file stay in the public log
    for ever.

    \b
    nodevms exec ./counter.js
    nodevms exec ./counter.js -p 8080 --dir ./my-counter-files
    nodevms exec ./secure-counter.js --debug
    """  # noqa: D301
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(name)s: %(message)s")
    source = read_script(script)
    place = (directory or Path(script.stem)).absolute()
    asyncio.run(
        _serve(source, place, port, host, title, debug, upgrade, origins, parse_limits(limits))
    )


async def _serve(
    source: Script,
    place: Path,
    port: int,
    host: str,
    title: str | None,
    debug: bool,
    upgrade: bool,
    origins: tuple[str, ...],
    limits: Limits,
) -> None:
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    from nodevms.rpc import Limits as ServerLimits
    from nodevms.rpc import RPCServer
    from nodevms.rpc.doors import feed_routes
    from nodevms.vm.vm import VM

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    vm = VM(source)
    await vm.deploy(dir=place, title=title, debug=debug, upgrade=upgrade, limits=limits)
    try:
        server = RPCServer(
            {"/": vm},
            host=host,
            port=port,
            allow_origins=origins,
            limits=ServerLimits(arguments_bytes_max=limits.args_bytes),
            routes={"/": feed_routes(lambda: vm.feeds)},
        )
        await server.start()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopping.set)
        click.echo(f"Serving at {_name(host)}:{server.port}")
        click.echo(f"Serving directory {place}\n")
        click.echo(f"Files:    {vm.files_archive_url}")
        click.echo(f"Call log: {vm.call_log_url}")
        sys.stdout.flush()
        await stopping.wait()
        await server.stop()
    finally:
        await vm.close()


def _name(host: str) -> str:
    return "localhost" if host in ("127.0.0.1", "::1") else host
