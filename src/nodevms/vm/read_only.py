"""Read-only calls: a copy of the guest runs them, and nothing that they do stays.

What comes out is a function of the log up to one length, the call and its seed. So whoever has the
log can run such a call again, and the host and its verifier do so with this code.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import UnsetType

from nodevms.archive import ArchiveInfo, ContentStore, FileApi, Overlay, StateAt
from nodevms.archive.state_reader import StateReader
from nodevms.sandbox import Fork, Outcome, Point, stopped
from nodevms.vm.environment import ConsoleSink, Environment, SeedSource
from nodevms.vm.execution import beyond_depth


@dataclass(frozen=True, slots=True)
class ReadPoint:
    """Where a backend stood after an entry, for calls that are computed there.

    Attributes:
        guest: Where the guest was.
        length: The log's length with that entry.
        epoch: The position of the start entry that calls ran under.
        time_ms: The entry's time, and that of such calls.
        files_version: The version of the files.
        files_root: The state root in hex.
    """

    guest: Point
    length: int
    epoch: int
    time_ms: int
    files_version: int
    files_root: str


@dataclass(frozen=True, slots=True)
class ReadOnlyFiles:
    """The files that read-only calls see, at whatever version.

    Attributes:
        state: The state, which may go on.
        contents: Where contents are read.
        info: What ``getInfo`` says of the archive.
    """

    state: StateReader
    contents: ContentStore
    info: ArchiveInfo

    def at(self, point: ReadPoint) -> FileApi:
        """Return the files as they were at a point, for one call."""
        state = StateAt(self.state, point.files_version)
        return FileApi(Overlay(state, self.contents, point.time_ms), self.info, readonly=True)


@dataclass(frozen=True, slots=True)
class ReadOnlyRun:
    """What a read-only call came to.

    Attributes:
        outcome: Its result or error, and gas.
        seed: The seed that the call asked for, if it did.
    """

    outcome: Outcome
    seed: str | UnsetType


def run_read_only(
    fork: Fork,
    point: ReadPoint,
    method: str,
    arguments: bytes,
    *,
    caller: str | None,
    files: ReadOnlyFiles,
    seeds: SeedSource,
    console: ConsoleSink | None = None,
) -> ReadOnlyRun:
    """Run one read-only call to its end.

    Args:
        fork: A copy of the guest at the point.
        point: What the call is computed at.
        method: The exported function.
        arguments: JSON array text, as the log would have it.
        caller: Who calls.
        files: The files.
        seeds: Gives 16 hex digits when the call asks for randomness.
        console: Where the script's output goes.

    Raises:
        EngineFaultError: The engine failed.
        StorageError: The files could not be read.
    """
    environment = Environment(files.at(point), seeds, console, None)
    outcome = fork.call(method, arguments, caller=caller, time_ms=point.time_ms, host=environment)
    if not outcome.undone and (limit := beyond_depth(outcome)) is not None:
        outcome = stopped(*limit, outcome.gas)
    return ReadOnlyRun(outcome, environment.seed)
