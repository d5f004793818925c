"""How ``nodevms clone`` says what came of it: sentences for people, JSON objects for programs.

Paths and reasons come from whoever wrote the drive: on a terminal their control characters are
made visible.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nodevms.cli.printable import printable
from nodevms.feed import dat_url

if TYPE_CHECKING:
    from nodevms.dat.clone import Result
    from nodevms.errors import NodeVMSError

SHOWN_MAX: Final = 20
_VERDICTS: Final = {0: "done", 1: "proved-false", 2: "usage", 3: "could-not"}


def exit_code(result: Result) -> int:
    """Return 0, or 1 if the drive contradicts itself, or 3 if not all of it could be written."""
    if any(one.false for one in result.skipped):
        return 1
    return 3 if result.skipped else 0


def succeed(key: bytes, directory: Path, result: Result, *, as_json: bool) -> None:
    """Print what came of bringing a folder to a version."""
    if as_json:
        click.echo(json.dumps(_document(key, directory, result)))
        return
    click.secho(
        f"✔{printable(str(directory))} has version {result.version}: "
        f"{_count(result.files, 'file')}, {_bytes(result.bytes)}.",
        fg="green",
    )
    done = []
    if result.written:
        done.append(f"{_count(result.written, 'file')} written")
    if result.deleted:
        done.append(f"{result.deleted} deleted")
    if result.downloaded:
        done.append(f"{_bytes(result.downloaded)} fetched")
    if done:
        text = ", ".join(done)
        click.echo(f"{text[0].upper()}{text[1:]}.")
    _list("Changed here and left as they are:", result.changed)
    _list(
        "In the way, and kept under another name:",
        (f"{before} is now {after}" for before, after in result.kept.items()),
    )
    _list("Not written:", (f"{one.path}: {one.reason}" for one in result.skipped), colour="red")


def fail(error: NodeVMSError, *, as_json: bool) -> None:
    """Print why it was not cloned."""
    if as_json:
        verdict = _VERDICTS[error.exit_code]
        found = {"verdict": verdict, "code": error.code, "message": str(error), "hint": error.hint}
        click.echo(json.dumps(found))
        return
    click.secho(f"nodevms: {printable(str(error))}", fg="red", err=True)
    if error.hint:
        click.echo(printable(error.hint), err=True)


def _document(key: bytes, directory: Path, result: Result) -> dict[str, object]:
    return {
        "verdict": _VERDICTS[exit_code(result)],
        "url": dat_url(key),
        "directory": str(directory),
        "version": result.version,
        "files": result.files,
        "bytes": result.bytes,
        "written": result.written,
        "downloaded": result.downloaded,
        "deleted": result.deleted,
        "changed": result.changed,
        "kept": result.kept,
        "skipped": [
            {"path": one.path, "reason": one.reason, "false": one.false} for one in result.skipped
        ],
    }


def _list(heading: str, lines: Iterable[str], *, colour: str | None = None) -> None:
    found = list(lines)
    if not found:
        return
    click.secho(heading, fg=colour, err=True)
    for line in found[:SHOWN_MAX]:
        click.echo("  " + printable(line).replace("\n", "\\x0a"), err=True)
    if len(found) > SHOWN_MAX:
        click.echo(f"  and {len(found) - SHOWN_MAX} more; --json lists them", err=True)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _bytes(size: int) -> str:
    if size < 1000:
        return _count(size, "byte")
    number = float(size)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.5:
            return f"{number:.3g} {unit}"
    return f"{number / 1000:,.4g} TB"
