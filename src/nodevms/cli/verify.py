"""``nodevms verify``: check everything that a backend ever answered."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nodevms.cli.common_errors import report_error
from nodevms.errors import CouldNotCheckError, NodeVMSError, ProvedFalseError

if TYPE_CHECKING:
    from nodevms.audit.verifier import Report


@click.command()
@click.argument("target", metavar="URL|DIR")
@click.option("--files", metavar="dat://…", help="The files archive that you expect.")
@click.option("--log", metavar="dat://…", help="The call log that you expect.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="Keep what is fetched here, and continue an earlier fetch.",
)
@click.option("--allow-older", is_flag=True, help="Accept a shorter log than you saw before.")
@click.option("--no-memory", is_flag=True, help="Neither ask nor remember what you saw before.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    target: str,
    files: str | None,
    log: str | None,
    directory: Path | None,
    allow_older: bool,
    no_memory: bool,
    as_json: bool,
) -> None:
    """Replay a backend's log and compare results, files and signatures.

    Exits with 0 when everything is verified, 1 when something is proved false, 2 on wrong usage,
    and 3 when it could not be checked.

    \b
    nodevms verify localhost:5555
    nodevms verify ./counter
    nodevms verify localhost:5555 --log dat://7081…bbef
    """  # noqa: D301
    screen = _Screen(quiet=as_json)
    try:
        report = _verify(target, files, log, directory, allow_older, not no_memory, screen)
    except NodeVMSError as error:
        sys.exit(_fail(error, as_json))
    except Exception as error:
        unexpected = CouldNotCheckError(f"internal error: {error!r}", code="internal")
        sys.exit(_fail(unexpected, as_json))
    _succeed(report, as_json)


def _verify(
    target: str,
    files: str | None,
    log: str | None,
    directory: Path | None,
    allow_older: bool,
    remember: bool,
    screen: _Screen,
) -> Report:
    from nodevms.audit.checked_feeds import Expectations
    from nodevms.audit.seen import Memory, default_state_folder
    from nodevms.audit.verifier import Verifier
    from nodevms.feed import parse_dat_url
    from nodevms.sandbox import Engine

    expectations = Expectations(
        log_key=None if log is None else parse_dat_url(log),
        files_key=None if files is None else parse_dat_url(files),
        allow_older=allow_older,
    )
    memory = Memory(default_state_folder()) if remember else None
    verifier = Verifier(Engine(), memory=memory)
    if Path(target).is_dir():
        return verifier.verify(Path(target), expectations, screen)
    kept = nullcontext(str(directory)) if directory else tempfile.TemporaryDirectory()
    with kept as place:
        asyncio.run(
            _fetch(target, Path(place), expectations.log_key, expectations.files_key, screen)
        )
        return verifier.verify(Path(place), expectations, screen)


async def _fetch(
    target: str, place: Path, log_key: bytes | None, files_key: bytes | None, screen: _Screen
) -> None:
    from nodevms.audit.fetch import Fetcher
    from nodevms.feed import dat_url
    from nodevms.rpc import RPCClient, parse_backend_url

    address = parse_backend_url(target)
    screen.say(f"Connecting to {address.ws}...")
    async with RPCClient() as client:
        await client.connect(target)
        info = client.info
    if info is None:
        raise CouldNotCheckError(f"{address.ws} did not say what it serves")
    screen.say("Connected.")
    fetcher = Fetcher(address.http, place)
    log_found, files_found = await fetcher.heads()
    for name, found, claimed, expected in (
        ("call log", log_found, info.call_log_url, log_key),
        ("files archive", files_found, info.files_archive_url, files_key),
    ):
        wanted = claimed if expected is None else dat_url(expected)
        if dat_url(found) != wanted:
            raise ProvedFalseError(
                f"the {name} is {dat_url(found)}, not {wanted}", code="other-key"
            )
    screen.say("Downloading call log...")
    await fetcher.fetch("call-log", screen.progress)
    screen.say("Downloading files archive...")
    await fetcher.fetch("metadata", screen.progress)
    await fetcher.fetch("content", screen.progress)
    screen.clear()


class _Screen:
    """The tutorial's lines on standard output, and a progress line on a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = not quiet and sys.stderr.isatty()
        self._entries = 0

    def say(self, text: str) -> None:
        if not self._quiet:
            self.clear()
            click.echo(click.style("›", dim=True) + text)

    def progress(self, done: int, total: int) -> None:
        if self._terminal and total:
            click.echo(f"\r  {100 * done // total:3d} %  {done:,} of {total:,}", nl=False, err=True)

    def clear(self) -> None:
        if self._terminal:
            click.echo("\r\033[K", nl=False, err=True)

    def replaying(self, entries: int) -> None:
        self._entries = entries
        self.say(f"Replaying {entries} calls...")

    def replayed(self, entries: int) -> None:
        if entries % 500 == 0:
            self.progress(entries, self._entries)

    def comparing(self) -> None:
        self.clear()
        self.say("Comparing outputs...")


def _succeed(report: Report, as_json: bool) -> None:
    from nodevms.feed import dat_url

    if as_json:
        click.echo(json.dumps(_as_json(report)))
        return
    click.secho("✔Call log verified.", fg="green")
    click.secho("✔Output files verified.", fg="green")
    later = report.epochs[1:]
    if later:
        click.echo(f"\nThe script was started {len(report.epochs)} times:")
        for epoch in report.epochs:
            when = datetime.fromtimestamp(epoch.time_ms / 1000, UTC).isoformat(" ", "seconds")
            click.echo(f"  entry {epoch.seq}: {epoch.kind}, {when}, script {epoch.code_hash[:16]}…")
    if report.debug:
        click.echo("This backend runs in debug mode: callers are whoever they say they are.")
    if report.lag:
        click.echo(f"The published files reflect {report.published_entries} entries so far.")
    if report.seen_before:
        click.echo(
            f"{report.seen_before} of these entries were seen before: {dat_url(report.log_key)}"
        )


def _as_json(report: Report) -> dict[str, object]:
    from nodevms.feed import dat_url

    return {
        "verdict": "verified",
        "callLogUrl": dat_url(report.log_key),
        "filesArchiveUrl": dat_url(report.files_key),
        "entries": report.entries,
        "calls": report.calls,
        "gas": report.gas,
        "debug": report.debug,
        "filesVersion": report.files_version,
        "filesRoot": report.files_root,
        "publications": report.publications,
        "publishedEntries": report.published_entries,
        "filesLag": report.lag,
        "seenBefore": report.seen_before,
        "starts": [
            {"seq": e.seq, "kind": e.kind, "time": e.time_ms, "codeHash": e.code_hash}
            for e in report.epochs
        ],
    }


def _fail(error: NodeVMSError, as_json: bool) -> int:
    verdict = {1: "proved-false", 2: "usage"}.get(error.exit_code, "could-not-check")
    if as_json:
        divergence = getattr(error, "divergence", None)
        document: dict[str, object] = {
            "verdict": verdict,
            "code": error.code,
            "message": str(error),
            "entry": getattr(divergence, "seq", None),
        }
        if divergence is not None:
            document["field"] = divergence.field
            document["expected"] = divergence.expected
            document["found"] = divergence.found
        click.echo(json.dumps(document))
        return error.exit_code
    heading = {1: "✖Proved false.", 2: "✖Wrong usage."}.get(error.exit_code, "✖Could not check.")
    click.secho(heading, fg="red", err=True)
    report_error(error)
    return error.exit_code
