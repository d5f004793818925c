"""``nodevms info``: what a backend is, from its server or its directory."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import click

from nodevms.cli.common_errors import exits


@click.command()
@click.argument("target", metavar="URL|DIR")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@exits
def command(target: str, as_json: bool) -> None:
    """Say what the backend at URL, or in DIR, is. Nothing is verified.

    \b
    nodevms info localhost:5555
    nodevms info ./counter
    """  # noqa: D301
    facts = _of_directory(Path(target)) if Path(target).is_dir() else asyncio.run(_of_url(target))
    if as_json:
        click.echo(json.dumps(facts))
        return
    width = max(map(len, facts)) + 1
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, list) else str(value)
        click.echo(f"{name + ':':<{width}} {text}")


async def _of_url(target: str) -> dict[str, object]:
    from nodevms.rpc import RPCClient

    async with RPCClient() as client:
        await client.connect(target)
        info = client.info
    if info is None:
        return {}
    return {
        "title": info.title,
        "methods": list(info.methods),
        "files": info.files_archive_url,
        "callLog": info.call_log_url,
        "codeHash": info.code_hash,
        "epoch": info.epoch,
        "debug": info.debug,
        "version": info.version,
    }


def _of_directory(directory: Path) -> dict[str, object]:
    from nodevms.vm.call_log import CallLog
    from nodevms.vm.entries import Init, Upgrade, time_of
    from nodevms.vm.errors import DirectoryError
    from nodevms.vm.script import code_hash

    log = CallLog.open(directory)
    try:
        first, last, code, epoch = None, None, "", 0
        for seq, entry in enumerate(log.list()):
            first, last = first or entry, entry
            if hasattr(entry, "engine"):
                epoch = seq
            if isinstance(entry, Init | Upgrade):
                code = entry.code
        if not isinstance(first, Init) or last is None:
            raise DirectoryError(f"{directory} holds no whole call log")
        return {
            "title": first.title,
            "files": first.filesArchiveUrl,
            "callLog": log.url,
            "codeHash": code_hash(code),
            "epoch": epoch,
            "debug": first.debug,
            "entries": log.length,
            "filesVersion": last.result.filesVersion,
            "lastEntry": datetime.fromtimestamp(time_of(last) / 1000, UTC).isoformat(),
        }
    finally:
        log.close()
