"""``nodevms log``: print or follow a call log."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final

import click

from nodevms.cli.dat_urls import CALL_LOG, dat_key
from nodevms.cli.network_options import NetworkWish, network_options
from nodevms.cli.options import patience_option
from nodevms.cli.target import Target, directory_of, taken_for_an_address

if TYPE_CHECKING:
    from nodevms.cli.log_sources import LogSource

READ_BLOCKS: Final = 64


@click.command(short_help="Print or follow a call log.")
@click.argument("target", metavar="dat://KEY|URL|DIR", type=Target())
@click.option(
    "--from",
    "start",
    type=click.IntRange(min=0),
    default=0,
    metavar="SEQ",
    help="The first entry to print.",
)
@click.option(
    "-n", "--last", type=click.IntRange(min=0), metavar="COUNT", help="Only the last entries."
)
@click.option("-f", "--follow", is_flag=True, help="Go on with entries as they come; Ctrl+C ends.")
@network_options
@patience_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def command(
    target: str,
    start: int,
    last: int | None,
    follow: bool,
    network: NetworkWish,
    timeout: float,
    as_json: bool,
) -> None:
    """Print a call log, one line an entry.

    dat://KEY, the URL behind "Call log:", is looked for in the Dat network, and only the entries
    that are printed are fetched.

    Every line is signed by the log's key. Whether what it says is true is the question of
    `nodevms verify`.

    \b
    nodevms log localhost:5555
    nodevms log ./counter --last 10 --follow
    nodevms log ./counter --json
    nodevms log dat://7081…bbef --follow
    """  # noqa: D301
    with taken_for_an_address(target):
        source = _source(target, network, timeout, follow=follow)
        asyncio.run(_print(source, start, last, follow, as_json))


async def _print(
    source: AbstractAsyncContextManager[LogSource],
    start: int,
    last: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    async with source as log:
        length = await log.length()
        at = start if last is None else max(start, length - last)
        while True:
            while at < length:
                numbers = range(at, min(length, at + READ_BLOCKS))
                _write(numbers, await log.blocks(numbers), as_json)
                at = numbers.stop
            if not follow:
                return
            await log.grown(length)
            length = await log.length()


def _source(
    target: str, network: NetworkWish, timeout: float, *, follow: bool
) -> AbstractAsyncContextManager[LogSource]:
    from nodevms.cli.log_sources import directory_log, served_log

    if target.startswith("dat:"):
        from nodevms.cli.log_network import network_log

        return network_log(dat_key(target, CALL_LOG, "log"), network, timeout, live=follow)
    directory = directory_of(target)
    return served_log(target) if directory is None else directory_log(directory)


def _write(numbers: range, blocks: list[bytes], as_json: bool) -> None:
    from nodevms.cli.log_lines import json_line, text_line

    for seq, block in zip(numbers, blocks, strict=True):
        click.echo(json_line(seq, block) if as_json else text_line(seq, block))
    sys.stdout.flush()
