"""Replay: run every entry of a log again, in order, and compare what comes out.

This module reads no files and no network: it takes the log's blocks one by one. The log's hashes
and signatures were checked before. It trusts the engine that ships with this program, and no
other; whatever the log says about time, randomness and callers is taken as said, and everything
else is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from nodevms.archive import ArchiveInfo, Change, ContentStore, State
from nodevms.archive.record import NUMBER_MAX
from nodevms.audit.call_rules import CallRules
from nodevms.audit.comparison import compare
from nodevms.audit.divergence import (
    EntryFalseError,
    EntryUncheckedError,
    describe,
    diverged,
    shorten,
)
from nodevms.audit.recorded_outside import recorded_outside
from nodevms.audit.trust import Trusted
from nodevms.errors import (
    CouldNotCheckError,
    LocalProtocolError,
    ProvedFalseError,
    StorageError,
)
from nodevms.feed import dat_url
from nodevms.sandbox import Engine, EngineFaultError, Replica
from nodevms.vm import entries as log
from nodevms.vm.entries import Call, Entry, Init, Start, Upgrade
from nodevms.vm.execution import Executed, Execution, StartHook
from nodevms.vm.limits import CEILINGS, Limits, beyond
from nodevms.vm.read_only import ReadOnlyFiles, ReadPoint
from nodevms.vm.script import code_hash

STARTS_MAX: Final = 100_000
"""A report lists all starts; no honest backend has so many."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A start that the replay has seen.

    Attributes:
        seq: Position of the start entry.
        kind: ``init``, ``restart`` or ``upgrade``.
        time_ms: When, as the entry says.
        code_hash: SHA-256 of the script that runs from here on.
    """

    seq: int
    kind: str
    time_ms: int
    code_hash: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a replay stands between two entries, for calls that are computed there.

    Attributes:
        point: The log's length, time and files, and the guest.
        replica: Makes copies of the guest.
        files: What such calls see.
        rules: Which calls an honest host runs there.
    """

    point: ReadPoint
    replica: Replica
    files: ReadOnlyFiles
    rules: CallRules


@dataclass(slots=True)
class Summary:
    """What the replay has seen so far."""

    entries: int = 0
    gas: int = 0
    trusted: Trusted = field(default_factory=Trusted)
    epochs: list[Epoch] = field(default_factory=list)


class Replay:
    """One backend's log, run again in one fresh VM.

    Used on an engine thread. Each entry must be given once, in order.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        state: State,
        contents: ContentStore,
        files_key: bytes,
        content_key: bytes,
        ceilings: Limits = CEILINGS,
    ) -> None:
        """Begin with an empty state.

        Args:
            engine: The engine that this release ships.
            state: An empty, temporary state.
            contents: An empty, temporary store for file contents.
            files_key: The public key of the published drive.
            content_key: The public key of its content feed.
            ceilings: The highest limits that this auditor is willing to replay.
        """
        self.state: Final = state
        self.summary: Final = Summary()
        self.debug = False
        self._engine = engine
        self._contents = contents
        self._files_key = files_key
        self._content_key = content_key
        self._ceilings = ceilings
        self._execution: Execution | None = None
        self._rules = CallRules()
        self._code = ""
        self._code_hash = ""
        self._title = ""
        self._time_ms = 0

    def add(self, seq: int, block: bytes) -> tuple[Entry, tuple[Change, ...]]:
        """Replay one entry.

        Returns:
            The entry, and its changes with the places that the host named for their contents.

        Raises:
            DivergenceError: The replay contradicts the entry.
            ProvedFalseError: The entry is none that an honest host writes.
            CouldNotCheckError: It needs a format, an engine or limits that are not ours.
        """
        try:
            entry = log.decode(block)
        except ProvedFalseError as error:
            raise EntryFalseError(
                f"entry {seq}: {error}", entry=seq, code="malformed-entry"
            ) from None
        except CouldNotCheckError as error:
            raise EntryUncheckedError(
                f"entry {seq}: {error}", entry=seq, code=error.code, hint=error.hint
            ) from None
        what = describe(entry)
        if not self._time_ms <= log.time_of(entry) <= NUMBER_MAX:
            wanted = f"{self._time_ms} to {NUMBER_MAX}"
            raise diverged(seq, what, "time", wanted, log.time_of(entry))
        self._time_ms = log.time_of(entry)
        try:
            if isinstance(entry, Call):
                executed = self._call(seq, what, entry)
            else:
                executed = self._start(seq, what, entry)
        except EntryUncheckedError:
            raise
        except (CouldNotCheckError, EngineFaultError, StorageError, OSError, MemoryError) as error:
            raise EntryUncheckedError(
                f"entry {seq} ({what}) could not be replayed on this machine: {error}",
                entry=seq,
                code=getattr(error, "code", "machine"),
            ) from error
        changes = compare(seq, what, entry, executed)
        self.summary.entries += 1
        self.summary.gas += executed.result.gas
        self.summary.trusted.add(log.oracles_of(entry))
        return entry, changes

    def standing(self) -> Standing:
        """Return where the entries that were added so far have led.

        Raises:
            LocalProtocolError: None was added.
        """
        execution = self._begun()
        point = ReadPoint(
            execution.point(),
            self.summary.entries,
            self.summary.epochs[-1].seq,
            self._time_ms,
            self.state.version,
            self.state.root.hex(),
        )
        files = ReadOnlyFiles(self.state, self._contents, self._info())
        return Standing(point, execution.replica(), files, self._rules)

    def heap_hash(self) -> str:
        """Return the hash of the guest's state after the last entry; see ``Sandbox.heap_hash``.

        Raises:
            LocalProtocolError: None was added.
        """
        return self._begun().heap_hash()

    def close(self) -> None:
        """Free the guest's memory."""
        if self._execution is not None:
            self._execution.close()
            self._execution = None

    def _begun(self) -> Execution:
        if self._execution is None:
            raise LocalProtocolError("no entry was added to the replay")
        return self._execution

    def _start(self, seq: int, what: str, entry: Start) -> Executed:
        self._check_start(seq, what, entry)
        hook: StartHook | None = None
        if isinstance(entry, Init):
            self._check_identity(seq, what, entry)
            self._code, self._title, self.debug, hook = entry.code, entry.title, entry.debug, "init"
        elif isinstance(entry, Upgrade):
            self._code, hook = entry.code, "upgrade"
        if hook is not None:
            self._code_hash = code_hash(self._code)
        self.close()
        self._execution = Execution(
            self._engine,
            entry.limits,
            state=self.state,
            contents=self._contents,
            info=self._info(),
        )
        outside = recorded_outside(seq, what, entry, entry.seed)
        executed = self._execution.start(
            self._code, hook, seq=seq, time_ms=entry.time, outside=outside
        )
        if executed.outcome.error is not None:
            raise diverged(seq, what, "result", "a start that fails is not recorded", "a start")
        if not self._execution.exports:
            raise diverged(seq, what, "code", "a script that exports functions", "none")
        self._rules = CallRules(
            {export.name: export.readonly for export in self._execution.exports},
            debug=self.debug,
            args_bytes=entry.limits.args_bytes,
        )
        self.summary.epochs.append(Epoch(seq, what, entry.time, self._code_hash))
        return executed

    def _info(self) -> ArchiveInfo:
        return ArchiveInfo(url=dat_url(self._files_key), title=self._title)

    def _check_start(self, seq: int, what: str, entry: Start) -> None:
        if isinstance(entry, Init) != (seq == 0):
            raise diverged(seq, what, "type", "init" if seq == 0 else "a later start", what)
        if entry.hostApi != log.HOST_API or entry.engine != self._engine.id:
            raise EntryUncheckedError(
                f"entry {seq} was run by engine {shorten(entry.engine, 80)}, "
                f"host API {entry.hostApi}; "
                f"this program has {self._engine.id}, host API {log.HOST_API}",
                entry=seq,
                code="unknown-engine",
                hint="Verify with a release that ships that engine.",
            )
        problem = beyond(entry.limits, self._ceilings)
        if len(self.summary.epochs) >= STARTS_MAX:
            problem = f"more than {STARTS_MAX:,} starts"
        if problem is not None:
            raise EntryUncheckedError(
                f"entry {seq} runs with limits that this program does not replay: {problem}",
                entry=seq,
                code="ceiling",
            )

    def _check_identity(self, seq: int, what: str, entry: Init) -> None:
        for name, expected, found in (
            ("filesArchiveUrl", dat_url(self._files_key), entry.filesArchiveUrl),
            ("contentKey", self._content_key.hex(), entry.contentKey),
        ):
            if expected != found:
                raise diverged(seq, what, name, expected, found)

    def _call(self, seq: int, what: str, entry: Call) -> Executed:
        execution, call = self._execution, entry.call
        if execution is None:
            raise diverged(seq, what, "type", "init", "call")
        arguments = bytes(call.args)
        problem = self._rules.problem(call.methodName, call.userId, arguments, readonly=False)
        if problem is not None:
            raise diverged(seq, what, *problem)
        return execution.call(
            call.methodName,
            arguments,
            caller=call.userId,
            seq=seq,
            time_ms=call.time,
            outside=recorded_outside(seq, what, entry, call.seed),
        )
