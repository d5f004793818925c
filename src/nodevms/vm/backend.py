"""One backend: its store, its running script, and the entries that tie them together.

Everything here is synchronous. ``execute`` runs on the engine's thread and may be one batch
ahead of ``commit``, which runs on the disk's thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec import Raw

from nodevms.archive import ArchiveInfo
from nodevms.archive.index_file import DAMAGED
from nodevms.errors import NodeVMSError, StorageError
from nodevms.vm.entries import (
    FORMAT_VERSION,
    HOST_API,
    Call,
    CallInfo,
    Entry,
    Init,
    Restart,
    Start,
    Upgrade,
    encode,
)
from nodevms.vm.environment import Outside
from nodevms.vm.errors import OutcomeUnknownError
from nodevms.vm.execution import Executed, Execution, StartHook
from nodevms.vm.limits import Limits
from nodevms.vm.live_oracles import LiveOracles
from nodevms.vm.read_only_calls import ReadOnlyCalls
from nodevms.vm.reporter import Ran, Reporter
from nodevms.vm.requests import Answer, Deliver, Method, Request
from nodevms.vm.script import Script
from nodevms.vm.start_failure import no_exports, start_failure
from nodevms.vm.store import Store
from nodevms.vm.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Logged:
    """A call that ran, with the entry that is to be written.

    Attributes:
        seq: The entry's position.
        block: The entry's bytes.
        size: Bytes that wait in memory for the disk: the entry and the contents that it brings.
        request: What was asked.
        answer: What is answered once the entry is on disk.
        time_ms: The entry's time.
        executed: What the call came to.
    """

    seq: int
    block: bytes
    size: int
    request: Request
    answer: Answer
    time_ms: int
    executed: Executed


@dataclass(frozen=True, slots=True)
class Identity:
    """What is fixed for the life of a backend's log.

    Attributes:
        title: Given at its creation.
        debug: Whether callers may name themselves.
    """

    title: str
    debug: bool


class Backend:
    """A running script on an open store.

    Attributes:
        failure: What the disk did that ends this backend, or None.
        read_only: Runs the calls of its read-only methods; None if it has none.
    """

    def __init__(
        self,
        store: Store,
        identity: Identity,
        limits: Limits,
        surroundings: Surroundings,
        *,
        time_ms: int,
    ) -> None:
        self.store: Final = store
        self.identity: Final = identity
        self.limits: Final = limits
        self.epoch = store.log.length
        self.failure: NodeVMSError | None = None
        self._surroundings = surroundings
        self._time_ms = time_ms
        self._seq = store.log.length
        self._outside = Outside(
            surroundings.seeds, lambda: LiveOracles(surroundings.engine, limits, surroundings.world)
        )
        self._info = ArchiveInfo(url=store.files_url, title=identity.title)
        self._reporter = Reporter(surroundings.console, surroundings.shows, surroundings.observer)
        self._execution = Execution(
            surroundings.engine,
            limits,
            state=store.state,
            contents=store.contents,
            info=self._info,
            console=None if surroundings.console is None else self._reporter.printed,
        )
        self.read_only: ReadOnlyCalls | None = None

    @property
    def methods(self) -> tuple[Method, ...]:
        """What may be called."""
        return tuple(Method(e.name, e.parameters, e.readonly) for e in self._execution.exports)

    def start(self, script: Script, kind: type[Start]) -> Logged:
        """Load the script and write the start entry; on failure nothing is recorded.

        Args:
            script: The script.
            kind: Which start entry this is.

        Raises:
            ScriptError: The script threw, was stopped, or exports nothing.
        """
        self._reporter.begins(script)
        hook: StartHook | None = {Init: "init", Upgrade: "upgrade"}.get(kind)  # type: ignore[assignment]
        time_ms = self._now()
        executed = self._execution.start(
            script.code, hook, seq=self._seq, time_ms=time_ms, outside=self._outside
        )
        if executed.outcome.error is not None:
            raise start_failure(executed.outcome, script)
        if not self._execution.exports:
            raise no_exports(script)
        entry = self._start_entry(kind, script.code, time_ms, executed)
        self.epoch = self._seq
        self._seq += 1
        block = encode(entry)
        self.store.write_start(self.epoch, block, brings_code=kind is not Restart)
        self._begin_read_only(time_ms)
        request = Request("", b"[]", None, None)
        answer = self._answer(executed, self.epoch)
        return Logged(self.epoch, block, len(block), request, answer, time_ms, executed)

    def execute(self, request: Request) -> Logged:
        """Run one call and make its entry; nothing of it may leave before ``commit``."""
        time_ms, seq, contents = self._now(), self._seq, self.store.contents
        brought, began = contents.appended_bytes, self._surroundings.stopwatch()
        try:
            executed = self._execution.call(
                request.method,
                request.arguments,
                caller=request.caller,
                seq=seq,
                time_ms=time_ms,
                outside=self._outside,
            )
        except StorageError as error:
            self._note(error)
            raise
        elapsed_ms = (self._surroundings.stopwatch() - began) * 1000
        ran = Ran(seq, time_ms, elapsed_ms, request, executed.outcome, executed.changes)
        self._reporter.ended(ran)
        info = CallInfo(
            userId=request.caller,
            methodName=request.method,
            args=Raw(request.arguments),
            time=time_ms,
            seed=executed.seed,
        )
        block = encode(Call(call=info, result=executed.result))
        self._seq += 1
        answer = self._answer(executed, seq)
        size = len(block) + contents.appended_bytes - brought
        return Logged(seq, block, size, request, answer, time_ms, executed)

    def seal(self, batch: list[Logged]) -> None:
        """Note, before the next call runs, where a batch leaves the backend. Raises nothing."""
        if self.read_only is not None:
            self.read_only.seal(batch[-1].seq + 1, self.epoch, batch[-1].time_ms)

    def commit(self, batch: list[Logged], deliver: Deliver) -> bool:
        """Make a batch last, answer its callers, and bring the index up to it.

        Returns:
            False when writing failed. If it was the log, the callers heard that the outcome is
            unknown; if it was the index, they have their answers and the log has the calls.
        """
        try:
            self.store.write([logged.block for logged in batch])
        except NodeVMSError as error:
            self._note(error)
            unknown = OutcomeUnknownError(
                f"the call may or may not have been logged: {error}",
                hint="Look at the call log before you call again.",
            )
            deliver([(logged.request, unknown) for logged in batch])
            return False
        if self.read_only is not None:
            self.read_only.advance(self.store.log.synced_head())
        deliver([(logged.request, logged.answer) for logged in batch])
        try:
            self.store.index()
        except StorageError as error:
            self._note(error)
            return False
        return True

    def heap_hash(self) -> str:
        """Return the hash of the guest's state, while no call runs; see ``Sandbox.heap_hash``."""
        return self._execution.heap_hash()

    def close(self) -> None:
        """End the script and close the store."""
        self._execution.close()
        self.store.close()

    def _begin_read_only(self, time_ms: int) -> None:
        if any(export.readonly for export in self._execution.exports):
            self.read_only = ReadOnlyCalls(
                self._execution,
                self.store,
                self._info,
                seeds=self._surroundings.seeds,
                reporter=self._reporter,
                stopwatch=self._surroundings.stopwatch,
                with_stacks=self.identity.debug,
            )
            self.read_only.seal(self._seq, self.epoch, time_ms)
            self.read_only.advance(self.store.log.synced_head())

    def _note(self, error: NodeVMSError) -> None:
        """Remember why it ends, and have a damaged index made again by the next start."""
        self.failure = error
        if error.code == DAMAGED:
            self.store.distrust_index()

    def _answer(self, executed: Executed, seq: int) -> Answer:
        outcome = executed.outcome
        stack = self._reporter.stack(outcome) if self.identity.debug else None
        return Answer(outcome.result, outcome.error, seq, self.epoch, stack)

    def _now(self) -> int:
        self._time_ms = max(self._time_ms, self._surroundings.clock())
        return self._time_ms

    def _start_entry(self, kind: type[Start], code: str, time_ms: int, executed: Executed) -> Entry:
        common = {
            "v": FORMAT_VERSION,
            "engine": self._surroundings.engine.id,
            "hostApi": HOST_API,
            "limits": self.limits,
            "time": time_ms,
            "seed": executed.seed,
            "result": executed.result,
        }
        if kind is Restart:
            return Restart(**common)  # type: ignore[arg-type]
        if kind is Upgrade:
            return Upgrade(code=code, **common)  # type: ignore[arg-type]
        return Init(
            code=code,
            filesArchiveUrl=self.store.files_url,
            contentKey=self.store.content.key.hex(),
            title=self.identity.title,
            debug=self.identity.debug,
            **common,  # type: ignore[arg-type]
        )
