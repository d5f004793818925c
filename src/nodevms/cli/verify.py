"""``nodevms verify``: check everything that a backend ever answered."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from nodevms.cli.dat_urls import CALL_LOG, DRIVE, dat_key
from nodevms.cli.network_options import NetworkWish, network_options
from nodevms.cli.options import max_download_option, max_time_option
from nodevms.cli.standard_output import read_or_not
from nodevms.cli.target import Target
from nodevms.cli.verify_screen import Screen
from nodevms.cli.verifying import Task
from nodevms.errors import CouldNotCheckError, NodeVMSError


@click.command(short_help="Replay a backend and compare what it said.")
@click.argument("target", metavar="URL|dat://KEY|DIR", type=Target())
@click.option("--files", metavar="dat://…", help="The files archive that you expect.")
@click.option("--log", metavar="dat://…", help="The call log that you expect.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="Keep what is fetched here, and continue an earlier fetch.",
)
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Compute this saved answer of a read-only call again; may be given many times.",
)
@click.option(
    "--allow-older",
    is_flag=True,
    help="Accept a log shorter than you saw before, or a copy that is not whole.",
)
@click.option("--no-memory", is_flag=True, help="Neither ask nor remember what you saw before.")
@max_time_option
@max_download_option
@network_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    target: str,
    files: str | None,
    log: str | None,
    directory: Path | None,
    answers: tuple[Path, ...],
    allow_older: bool,
    no_memory: bool,
    seconds_max: float | None,
    bytes_max: int | None,
    network: NetworkWish,
    as_json: bool,
) -> None:
    """Replay a backend's log and compare results, files and signatures.

    URL is where the backend is served. dat://KEY is the URL behind "Call log:": then log and files
    are copied from whoever in the Dat network has them, and no server is asked. With URL and --log,
    the network is asked when the server cannot be read.

    A FILE of --answer is what nodevms call --save wrote.

    Exits with 0 when everything is verified, 1 when something is proved false, 2 on wrong usage,
    and 3 when it could not be checked.

    \b
    nodevms verify localhost:5555
    nodevms verify ./counter
    nodevms verify localhost:5555 --log dat://7081…bbef
    nodevms verify dat://7081…bbef
    nodevms verify ./guestbook --answer size.json
    """  # noqa: D301
    from nodevms.cli.saved_answers import read_answers
    from nodevms.cli.verify_report import fail, succeed

    screen = Screen(quiet=as_json)
    task: Task | None = None
    try:
        task = _task(
            files, log, allow_older, not no_memory, seconds_max, bytes_max, network, screen
        )
        task = replace(task, answers=read_answers(answers))
        report, source = task.verify(target, directory)
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
            succeed(report, source, as_json=as_json)
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
    network: NetworkWish,
    screen: Screen,
) -> Task:
    from nodevms.audit import SECONDS_MAX, Deadline, Expectations
    from nodevms.audit.fetch import FETCH_BYTES_MAX

    expectations = Expectations(
        log_key=None if log is None else dat_key(log, CALL_LOG, "verify --log"),
        files_key=None if files is None else dat_key(files, DRIVE, "verify --files"),
        allow_older=allow_older,
    )
    deadline = Deadline(seconds_max or SECONDS_MAX, time.monotonic)
    return Task(expectations, remember, deadline, bytes_max or FETCH_BYTES_MAX, network, screen)
