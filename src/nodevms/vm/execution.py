"""Execution: the part of a backend whose output is a function of its log.

It holds the sandbox and the files' state, and knows no clock, no randomness, no disk and no
network. The live backend and the auditor's replay run the same code, each with its own source
for what the log records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from msgspec import UNSET, Raw, UnsetType

from nodevms.archive import (
    ArchiveInfo,
    Change,
    ContentStore,
    FileApi,
    LimitExceededError,
    Overlay,
    State,
    Totals,
)
from nodevms.json_text import deeper_than
from nodevms.sandbox import (
    Engine,
    Export,
    Outcome,
    Point,
    Replica,
    Sandbox,
    stopped,
)
from nodevms.vm.entries import (
    ENTRY_BYTES_MAX,
    JSON_DEPTH_MAX,
    ChangeItem,
    Oracle,
    Result,
    spelled_bytes,
)
from nodevms.vm.environment import ConsoleSink, Environment, FilesOnly, Outside
from nodevms.vm.limits import Limits
from nodevms.vm.oracles import Oracles, entry_bytes

StartHook = Literal["init", "upgrade"]

ENTRY_BASE_BYTES: Final = 1024
CHANGE_BASE_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Executed:
    """What one call came to.

    Attributes:
        result: As it goes into the entry.
        seed: The seed that the call asked for, if it did.
        changes: What it did to the files, for the publisher.
        outcome: The sandbox's own account, for the host's log and messages.
    """

    result: Result
    seed: str | UnsetType
    changes: tuple[Change, ...]
    outcome: Outcome


class Execution:
    """Runs a backend's starts and calls, one after the other, from one start entry on."""

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        *,
        state: State,
        contents: ContentStore,
        info: ArchiveInfo,
        console: ConsoleSink | None = None,
    ) -> None:
        self._sandbox = Sandbox(engine, limits.for_sandbox())
        self._limits = limits
        self._totals_max = Totals(limits.archive_bytes, limits.archive_paths)
        self._state = state
        self._contents = contents
        self._info = info
        self._console = console

    @property
    def exports(self) -> tuple[Export, ...]:
        """The functions that may be called, as they were after the start."""
        return self._sandbox.exports

    def start(
        self, code: str, hook: StartHook | None, *, seq: int, time_ms: int, outside: Outside
    ) -> Executed:
        """Load the script and run its ``init`` or ``upgrade``, as one start entry records it.

        Args:
            code: The script.
            hook: The export to run after loading, if the script has it.
            seq: The position of the start entry.
            time_ms: The entry's time.
            outside: Gives what the entry records of the outside.
        """
        overlay, environment = self._begin(seq, time_ms, outside)
        outcome = self._sandbox.start(code, hook, time_ms=time_ms, host=environment)
        if outcome.error is not None:
            return self._without_changes(outcome, environment)
        input_bytes = spelled_bytes(code) + spelled_bytes(self._info.title)
        limit = _beyond_entry(outcome, overlay, input_bytes + entry_bytes(environment.given))
        if limit is not None:
            return self._without_changes(stopped(*limit, outcome.gas), environment)
        return self._end(outcome, overlay, environment, seq)

    def call(
        self,
        method: str,
        arguments: bytes,
        *,
        caller: str | None,
        seq: int,
        time_ms: int,
        outside: Outside,
    ) -> Executed:
        """Run one call to its end, apply what it changed, and say what goes into its entry.

        Args:
            method: The exported function.
            arguments: JSON array text.
            caller: Who calls.
            seq: The position of the call's entry.
            time_ms: The entry's time.
            outside: Gives what the entry records of the outside.
        """
        overlay, environment = self._begin(seq, time_ms, outside)
        outcome = self._sandbox.call(
            method, arguments, caller=caller, time_ms=time_ms, host=environment
        )
        if outcome.undone:
            return self._without_changes(outcome, environment)
        input_bytes = len(arguments) + spelled_bytes(method) + spelled_bytes(caller)
        limit = _beyond_entry(outcome, overlay, input_bytes + entry_bytes(environment.given))
        if limit is not None:
            return self._without_changes(self._sandbox.undo_last(*limit), environment)
        return self._end(outcome, overlay, environment, seq)

    def point(self) -> Point:
        """Return where the guest is, for :meth:`replica`. Only between two calls."""
        return self._sandbox.point()

    def replica(self) -> Replica:
        """Return what makes copies of the guest for calls that leave nothing behind."""
        return self._sandbox.replica()

    def heap_hash(self) -> str:
        """Return the hash of the guest's state after the last entry; see ``Sandbox.heap_hash``."""
        return self._sandbox.heap_hash()

    def close(self) -> None:
        """Free the guest's memory."""
        self._sandbox.close()

    def _begin(self, seq: int, time_ms: int, outside: Outside) -> tuple[Overlay, Environment]:
        overlay = Overlay(
            self._state,
            self._contents,
            time_ms,
            bytes_max=self._limits.written_bytes,
            paths_max=self._limits.written_paths,
            totals_max=self._totals_max,
        )
        files = FileApi(overlay, self._info)
        return overlay, Environment(
            files,
            outside.seeds,
            self._console,
            seq,
            lambda: self._oracles_of(overlay, outside),
        )

    def _oracles_of(self, overlay: Overlay, outside: Outside) -> Oracles:
        """Return the oracles of a call; their functions may read its files."""
        files = FileApi(overlay, self._info, readonly=True, reader="an oracle")
        return Oracles(self._limits, outside.oracles(), FilesOnly(files))

    def _without_changes(self, outcome: Outcome, environment: Environment) -> Executed:
        result = _result(outcome, environment.given, filesVersion=self._state.version)
        return Executed(result, environment.seed, (), outcome)

    def _end(
        self,
        outcome: Outcome,
        overlay: Overlay,
        environment: Environment,
        seq: int,
    ) -> Executed:
        changes = overlay.commit(seq + 1)
        if not changes:
            return self._without_changes(outcome, environment)
        result = _result(
            outcome,
            environment.given,
            changes=tuple(_item(change) for change in changes),
            filesVersion=self._state.version,
            filesRoot=self._state.root.hex(),
        )
        return Executed(result, environment.seed, changes, outcome)


def _result(outcome: Outcome, oracles: tuple[Oracle, ...], **files: object) -> Result:
    return Result(
        res=UNSET if outcome.result is None else Raw(outcome.result),
        err=UNSET if outcome.error is None else Raw(outcome.error),
        gas=outcome.gas,
        oracles=oracles or UNSET,
        **files,  # type: ignore[arg-type]
    )


def _item(change: Change) -> ChangeItem:
    if change.kind != "file":
        return ChangeItem(path=change.path, kind=change.kind)
    return ChangeItem(
        path=change.path,
        kind="file",
        size=change.size,
        sha256=change.sha256.hex(),
        block=change.block,
    )


def beyond_depth(outcome: Outcome) -> tuple[str, str] | None:
    """Return code and message for a result or error that nests too deeply."""
    if deeper_than(outcome.result or outcome.error or b"", JSON_DEPTH_MAX):
        return "ERR_RESULT_DEPTH", f"The result nests deeper than {JSON_DEPTH_MAX} levels"
    return None


def _beyond_entry(outcome: Outcome, overlay: Overlay, input_bytes: int) -> tuple[str, str] | None:
    """Say why this call cannot become an entry; the rule does not depend on the host's storage."""
    text = outcome.result or outcome.error or b""
    if (limit := beyond_depth(outcome)) is not None:
        return limit
    try:
        overlay.check_limits()
    except LimitExceededError as error:
        return error.code, str(error)
    size = ENTRY_BASE_BYTES + input_bytes + len(text)
    size += sum(CHANGE_BASE_BYTES + spelled_bytes(path) for path in overlay.changed_paths())
    if size > ENTRY_BYTES_MAX:
        return "ERR_ENTRY_SIZE", f"The entry would have more than {ENTRY_BYTES_MAX:,} bytes"
    return None
