"""How ``nodevms verify`` says what came out: sentences for people, one JSON object for programs.

Everything that a host wrote is shown with its control characters made visible.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from nodevms.audit.answer_check import AnswerFalseError
from nodevms.audit.divergence import DivergenceError, visible
from nodevms.errors import NodeVMSError
from nodevms.feed import ForkError, dat_url

if TYPE_CHECKING:
    from nodevms.audit.trust import Trusted
    from nodevms.audit.verifier import Report
    from nodevms.cli.verifying import Source

VERDICTS: Final = {0: "verified", 1: "proved-false", 2: "usage", 3: "could-not-check"}
STARTS_SHOWN_MAX: Final = 20
HOSTS_SHOWN_MAX: Final = 20

_HEADINGS: Final = {1: "✖Proved false.", 2: "✖Wrong usage.", 3: "✖Could not check."}


def succeed(report: Report, source: Source, *, as_json: bool) -> None:
    """Print what was verified."""
    if as_json:
        click.echo(json.dumps(_verified(report, source)))
        return
    click.secho("✔Call log verified.", fg="green")
    click.secho("✔Output files verified.", fg="green")
    for saved in report.answers:
        at = f"computed at {saved.answer.length:,} entries"
        click.secho(visible(f"✔Answer verified: {saved.what}, {at}."), fg="green")
    if len(report.epochs) > 1:
        click.echo(f"\nThe script was started {len(report.epochs)} times:")
        for epoch in report.epochs[-STARTS_SHOWN_MAX:]:
            when = _time(epoch.time_ms)
            click.echo(f"  entry {epoch.seq}: {epoch.kind}, {when}, script {epoch.code_hash[:16]}…")
        hidden = len(report.epochs) - STARTS_SHOWN_MAX
        if hidden > 0:
            click.echo(f"  and {hidden} before these; --json lists all")
    _show_trusted(report.trusted)
    if report.debug:
        click.echo("This backend runs in debug mode: callers are whoever they say they are.")
    if report.lag:
        click.echo(f"The published files reflect {report.published_entries} entries so far.")
    if report.entries < report.head.length:
        click.echo(
            f"The log has {report.head.length:,} entries here; those from entry "
            f"{report.entries:,} on were not checked, because their files are missing."
        )
    if source.kind == "dat":
        peers = f"{source.peers} peer{'' if source.peers == 1 else 's'}"
        click.echo(f"Copied from {peers} of the Dat network; no server was asked.")
    if report.seen_before:
        click.echo(
            f"{report.seen_before} of these entries were seen before: {dat_url(report.log_key)}"
        )


def _show_trusted(trusted: Trusted) -> None:
    """Say what no replay can check."""
    if not trusted.oracles:
        return
    entries = f"{trusted.entries:,} entr{'y' if trusted.entries == 1 else 'ies'}"
    oracles = f"{trusted.oracles:,} oracle{'' if trusted.oracles == 1 else 's'}"
    click.echo(f"Taken on trust: {entries} asked {oracles}; what these gave cannot be checked.")
    shown = list(trusted.hosts)[:HOSTS_SHOWN_MAX]
    if shown:
        hidden = len(trusted.hosts) - len(shown)
        more = f" and {hidden} more; --json lists them" if hidden or trusted.more_hosts else ""
        click.echo(f"They sent requests to {', '.join(map(visible, shown))}{more}.")


def fail(error: NodeVMSError, *, as_json: bool) -> None:
    """Print why it was not verified."""
    if as_json:
        click.echo(json.dumps(_not_verified(error)))
        return
    click.secho(_HEADINGS[error.exit_code], fg="red", err=True)
    click.secho(f"nodevms: {visible(str(error))}", fg="red", err=True)
    if error.hint:
        click.echo(visible(error.hint), err=True)
    if isinstance(error, ForkError):
        for head in (error.old, error.new):
            click.echo(
                f"  {head.length:,} blocks: root {head.root_hash.hex()}, "
                f"signature {head.signature.hex()}",
                err=True,
            )


def _verified(report: Report, source: Source) -> dict[str, object]:
    return {
        "verdict": VERDICTS[0],
        "source": source.kind,
        "peers": source.peers,
        "callLogUrl": dat_url(report.log_key),
        "filesArchiveUrl": dat_url(report.files_key),
        "entries": report.entries,
        "calls": report.calls,
        "gas": report.gas,
        "trusted": {
            "entries": report.trusted.entries,
            "oracles": report.trusted.oracles,
            "hosts": report.trusted.hosts,
            "moreHosts": report.trusted.more_hosts,
        },
        "debug": report.debug,
        "filesVersion": report.files_version,
        "filesRoot": report.files_root,
        "heapHash": report.heap_hash,
        "publications": report.publications,
        "publishedEntries": report.published_entries,
        "filesLag": report.lag,
        "seenBefore": report.seen_before,
        "answers": [
            {"file": saved.name, "method": saved.answer.method, "length": saved.answer.length}
            for saved in report.answers
        ],
        "starts": [
            {"seq": e.seq, "kind": e.kind, "time": e.time_ms, "codeHash": e.code_hash}
            for e in report.epochs
        ],
    }


def _not_verified(error: NodeVMSError) -> dict[str, object]:
    document: dict[str, object] = {
        "verdict": VERDICTS[error.exit_code],
        "code": error.code,
        "message": str(error),
        "hint": error.hint,
        "entry": getattr(error, "entry", None),
    }
    if isinstance(error, ForkError) and error.evidence is not None:
        document["evidence"] = json.loads(error.evidence.to_json())
    if isinstance(error, DivergenceError | AnswerFalseError):
        divergence = error.divergence
        document |= {
            "call": divergence.what,
            "field": divergence.field,
            "expected": divergence.expected,
            "found": divergence.found,
        }
    return document


def _time(time_ms: int) -> str:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(" ", "seconds")
    except (ValueError, OverflowError):
        return f"{time_ms} ms after 1970"
