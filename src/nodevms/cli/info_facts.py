"""The facts that entries of a log give about its backend."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from nodevms.vm.entries import Entry, Init, Start, time_of
from nodevms.vm.script import code_hash


def describe(
    first: Init, start: Start, code: str, last: Entry, *, entries: int, epoch: int
) -> dict[str, object]:
    """Return facts by their names in JSON.

    Args:
        first: The first entry.
        start: The last start entry.
        code: The script that it started.
        last: The last entry.
        entries: How many there are.
        epoch: Seq of the last start entry.
    """
    return {
        "title": first.title,
        "files": first.filesArchiveUrl,
        "codeHash": code_hash(code),
        "epoch": epoch,
        "debug": first.debug,
        "entries": entries,
        "filesVersion": last.result.filesVersion,
        "started": _iso(time_of(start)),
        "lastEntry": _iso(time_of(last)),
        "engine": start.engine,
        "hostApi": start.hostApi,
        "format": start.v,
        "limits": msgspec.to_builtins(start.limits),
    }


def _iso(time_ms: int) -> str:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"
