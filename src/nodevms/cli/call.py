"""``nodevms call``: one call, for scripts."""

from __future__ import annotations

import asyncio
import json
import sys

import click

from nodevms.cli.common_errors import exits, report_error


@click.command()
@click.argument("url")
@click.argument("method")
@click.argument("arguments", nargs=-1, metavar="[JSON]...")
@click.option("-u", "--user", help="Who calls; only backends in debug mode take a name.")
@exits
def command(url: str, method: str, arguments: tuple[str, ...], user: str | None) -> None:
    """Call METHOD of the backend at URL and print its result as JSON.

    Each argument is JSON if it reads as JSON, and otherwise a string. Exits with 1 when the script
    throws, and with 3 when the call could not be made.

    \b
    nodevms call localhost:5555 increment
    nodevms call localhost:5555 addPhoto cat.png iVBORw== base64
    """  # noqa: D301
    from nodevms.rpc import RemoteError

    try:
        result = asyncio.run(_call(url, method, [_read(text) for text in arguments], user))
    except RemoteError as error:
        report_error(error)
        sys.exit(1)
    if result is not None:
        click.echo(result)


async def _call(url: str, method: str, arguments: list[str], user: str | None) -> bytes | None:
    from nodevms.rpc import RPCClient

    async with RPCClient() as client:
        await client.connect(url, user)
        return await client.call_json(method, f"[{','.join(arguments)}]")


def _read(text: str) -> str:
    """Return the argument's JSON text, the reader's own wherever it is JSON."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return json.dumps(text)
    return text


def _refuse(name: str) -> None:
    raise ValueError(name)
