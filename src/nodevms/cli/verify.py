"""``nodevms verify``: check everything that a backend ever answered."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nodevms.cli.options import Seconds
from nodevms.cli.standard_output import read_or_not
from nodevms.cli.target import (
    Target,
    directory_of,
    has_secret_key,
    never_held_a_backend,
    taken_for_an_address,
)
from nodevms.cli.verify_screen import Screen
from nodevms.errors import CouldNotCheckError, NodeVMSError, ProvedFalseError, UsageError

if TYPE_CHECKING:
    from nodevms.audit import Deadline, Expectations, Report
    from nodevms.rpc.client import BackendInfo


@click.command(short_help="Replay a backend and compare what it said.")
@click.argument("target", metavar="URL|DIR", type=Target())
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
@click.option(
    "--max-time",
    "seconds_max",
    type=Seconds(),
    metavar="SECONDS",
    help="Give up after so long; by default after a day.",
)
@click.option(
    "--max-download",
    "bytes_max",
    type=click.IntRange(min=1),
    metavar="BYTES",
    help="Fetch at most so much; by default 64 GiB, and never more than the disk has.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    target: str,
    files: str | None,
    log: str | None,
    directory: Path | None,
    allow_older: bool,
    no_memory: bool,
    seconds_max: float | None,
    bytes_max: int | None,
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
    from nodevms.cli.verify_report import fail, succeed

    screen = Screen(quiet=as_json)
    task: _Task | None = None
    try:
        task = _task(files, log, allow_older, not no_memory, seconds_max, bytes_max, screen)
        report = task.verify(target, directory)
    except NodeVMSError as error:
        failure: NodeVMSError = error
    except KeyboardInterrupt:
        if task is not None:
            task.deadline.stop()
        failure = CouldNotCheckError("it was interrupted", code="interrupted")
    except Exception as error:
        failure = CouldNotCheckError(
            f"internal error: {error!r}",
            code="internal",
            hint="This is a fault of nodevms, whatever the backend did. Please report it.",
        )
    else:
        with read_or_not():
            succeed(report, as_json=as_json)
        return
    screen.close()
    with read_or_not():
        fail(failure, as_json=as_json)
    sys.exit(failure.exit_code)


def _task(
    files: str | None,
    log: str | None,
    allow_older: bool,
    remember: bool,
    seconds_max: float | None,
    bytes_max: int | None,
    screen: Screen,
) -> _Task:
    from nodevms.audit import SECONDS_MAX, Deadline, Expectations
    from nodevms.audit.fetch import FETCH_BYTES_MAX
    from nodevms.feed import parse_dat_url

    expectations = Expectations(
        log_key=None if log is None else parse_dat_url(log),
        files_key=None if files is None else parse_dat_url(files),
        allow_older=allow_older,
    )
    deadline = Deadline(seconds_max or SECONDS_MAX, time.monotonic)
    return _Task(expectations, remember, deadline, bytes_max or FETCH_BYTES_MAX, screen)


@dataclass(frozen=True, slots=True)
class _Task:
    """What the reader asked for."""

    expectations: Expectations
    remember: bool
    deadline: Deadline
    bytes_max: int
    screen: Screen

    def verify(self, target: str, directory: Path | None) -> Report:
        """Verify a directory, or fetch and verify."""
        there = directory_of(target)
        if there is not None:
            if directory is not None:
                raise UsageError("--dir is for what is fetched; a directory is verified as it is")
            if never_held_a_backend(there):
                raise CouldNotCheckError(
                    f"{target} holds no backend",
                    code="feed-missing",
                    hint="DIR is the directory that exec names, or one that verify --dir filled.",
                )
            return self._verify(there, from_others=not has_secret_key(there))
        kept = nullcontext(str(directory)) if directory else tempfile.TemporaryDirectory()
        with kept as place:
            with taken_for_an_address(target):
                info = asyncio.run(self._fetch_in_time(target, Path(place)))
            report = self._verify(Path(place))
        _compare_claims(info, report)
        return report

    def _verify(self, place: Path, *, from_others: bool = False) -> Report:
        from nodevms.audit import Memory, Verifier, default_state_folder
        from nodevms.sandbox import Engine

        memory = Memory(default_state_folder()) if self.remember else None
        verifier = Verifier(Engine(), memory=memory, deadline=self.deadline)
        expectations = replace(self.expectations, from_others=from_others)
        return verifier.verify(place, expectations, self.screen)

    async def _fetch_in_time(self, target: str, place: Path) -> BackendInfo:
        try:
            async with asyncio.timeout(self.deadline.left):
                return await self._fetch(target, place)
        except TimeoutError:
            raise self.deadline.over("fetching") from None

    async def _fetch(self, target: str, place: Path) -> BackendInfo:
        from nodevms.audit import Fetcher
        from nodevms.rpc import RPCClient, parse_backend_url

        address, screen = parse_backend_url(target), self.screen
        screen.say(f"Connecting to {address.ws}...")
        async with RPCClient() as client:
            await client.connect(target)
            info = client.info
        if info is None:
            raise CouldNotCheckError(f"{address.ws} did not say what it serves")
        screen.say("Connected.")
        fetcher = Fetcher(
            address.http,
            place,
            bytes_max=self.bytes_max,
            allow_older=self.expectations.allow_older,
        )
        log_found, files_found = await fetcher.heads()
        expected = self.expectations
        _compare_keys("call log", log_found, info.call_log_url, expected.log_key)
        _compare_keys("files archive", files_found, info.files_archive_url, expected.files_key)
        screen.say("Downloading call log...")
        await fetcher.fetch("call-log", screen.downloading("call log"))
        screen.say("Downloading files archive...")
        await fetcher.fetch("metadata", screen.downloading("files archive"))
        await fetcher.fetch("content", screen.downloading("files' contents"))
        screen.close()
        return info


def _compare_claims(info: BackendInfo, report: Report) -> None:
    """Hold what the server said of its script against the log that was verified."""
    from nodevms.audit.divergence import shorten

    if not info.code_hash:  # a server that says nothing of it
        return
    start = next((start for start in report.epochs if start.seq == info.epoch), None)
    found = "no start" if start is None else f"the start of script {start.code_hash}"
    if start is None or start.code_hash != info.code_hash:
        raise ProvedFalseError(
            f"the server says that it runs script {shorten(info.code_hash)} since entry "
            f"{info.epoch}; that entry is {found}",
            code="handshake-false",
        )
    if info.debug != report.debug:
        raise ProvedFalseError(
            "the server says that it runs "
            + ("in debug mode" if info.debug else "outside debug mode")
            + "; its log says otherwise",
            code="handshake-false",
        )


def _compare_keys(name: str, found: bytes, claimed: str, expected: bytes | None) -> None:
    from nodevms.audit.divergence import shorten
    from nodevms.feed import dat_url

    if expected is not None and found != expected:
        raise ProvedFalseError(
            f"the {name} is {dat_url(found)}, not {dat_url(expected)}", code="other-key"
        )
    if dat_url(found) != claimed:
        raise ProvedFalseError(
            f"the server says that its {name} is {shorten(claimed)}, and serves {dat_url(found)}",
            code="other-key",
        )
