"""``nodevms clone``: a drive of the Dat network in a folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nodevms.cli.cloning import CloneTask
from nodevms.cli.network_options import NetworkWish, network_options
from nodevms.cli.options import Seconds, max_download_option, patience_option
from nodevms.cli.standard_output import read_or_not
from nodevms.cli.verify_screen import Screen
from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.dat.clone import Result


@click.command(short_help="Copy a drive's files into a folder.")
@click.argument("url", metavar="dat://KEY")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--version",
    type=click.IntRange(min=0),
    metavar="N",
    help="The drive's version; the newest by default. dat://KEY+N means the same.",
)
@click.option("--live", is_flag=True, help="Go on with what changes; Ctrl+C ends.")
@click.option(
    "--max-time",
    "seconds_max",
    type=Seconds(),
    metavar="SECONDS",
    help="Give up after so long; by default after a day, and with --live never.",
)
@max_download_option
@network_options
@patience_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON objects, one a line.")
def command(
    url: str,
    directory: Path | None,
    version: int | None,
    live: bool,
    seconds_max: float | None,
    bytes_max: int | None,
    network: NetworkWish,
    timeout: float,
    as_json: bool,
) -> None:
    """Copy the files of the drive KEY into the folder DIR.

    The drive may be anybody's; a backend's is the URL behind "Files:" that exec prints. It is found
    in the Dat network, and every block is proved before it is written. DIR is new, empty, or an
    earlier clone of the same drive, which is brought up to date; by default it is the key in the
    current folder. Files that you changed there are left as they are.

    Exits with 0 when the folder has the version, 1 when the drive is proved to contradict itself, 2
    on wrong usage, and 3 when not everything could be had or written.

    \b
    nodevms clone dat://5f0c…39ab
    nodevms clone dat://5f0c…39ab ./photos --live
    nodevms clone dat://5f0c…39ab+7 ./photos-then
    """  # noqa: D301
    from nodevms.cli.clone_report import exit_code, fail, succeed

    screen = Screen(quiet=as_json)
    try:
        task = CloneTask.of(url, directory, version, live, seconds_max, bytes_max, network, timeout)
        code = 0

        def report(result: Result) -> None:
            nonlocal code
            screen.close()
            code = exit_code(result)
            with read_or_not():
                succeed(task.key, task.directory, result, as_json=as_json)
                sys.stdout.flush()

        asyncio.run(task.run(screen, report))
    except NodeVMSError as error:
        screen.close()
        with read_or_not():
            fail(error, as_json=as_json)
        sys.exit(error.exit_code)
    sys.exit(code)
