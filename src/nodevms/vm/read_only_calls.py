"""A running backend's read-only calls: beside the lock, at the newest entry that is signed.

Each batch of logged calls is sealed on the engine's thread, between two calls: that takes a few
references and, if going there would be dear, the snapshot that the next call would have taken.
When the batch is on disk and before its callers are answered, the point becomes the newest. So
whoever has an answer finds what it did in every read-only call after it, and no read-only call
shows what is not signed. A logged call that runs meanwhile, for however long, is not waited for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from nodevms.archive import ArchiveInfo, StoredContents
from nodevms.feed import Head
from nodevms.sandbox import Fork
from nodevms.vm.environment import SeedSource
from nodevms.vm.errors import BackendClosedError
from nodevms.vm.execution import Execution
from nodevms.vm.read_only import ReadOnlyFiles, ReadOnlyRun, ReadPoint, run_read_only
from nodevms.vm.reporter import Ran, Reporter
from nodevms.vm.requests import Answer, ReadAt, Request
from nodevms.vm.store import Store

_LOG = logging.getLogger("nodevms.vm")


@dataclass(frozen=True, slots=True)
class _Signed:
    point: ReadPoint
    head: Head


class ReadOnlyCalls:
    """Runs read-only calls of one epoch.

    `seal` belongs to the engine's thread, `advance` to the disk's, and `run` to any others whose
    stack is made for the engine.

    Args:
        execution: The running script.
        store: Where its files are.
        info: What ``getInfo`` says of the archive.
        seeds: Gives 16 fresh hex digits.
        reporter: Is told what the script prints, and how calls ended.
        stopwatch: Seconds, from any beginning.
        with_stacks: Whether callers get the stacks of errors.
    """

    def __init__(
        self,
        execution: Execution,
        store: Store,
        info: ArchiveInfo,
        *,
        seeds: SeedSource,
        reporter: Reporter,
        stopwatch: Callable[[], float],
        with_stacks: bool,
    ) -> None:
        self._execution = execution
        self._state = store.state
        self._files: Final = ReadOnlyFiles(
            store.state, StoredContents(store.contents.stored_block), info
        )
        self._seeds = seeds
        self._reporter = reporter
        self._stopwatch = stopwatch
        self._with_stacks = with_stacks
        self._replica = execution.replica()
        self._replica_lock = threading.Lock()
        self._sealed: ReadPoint | None = None
        self._newest: _Signed | None = None

    def seal(self, length: int, epoch: int, time_ms: int) -> None:
        """Note where the backend stands with the last entry of a batch. Raises nothing.

        Args:
            length: The log's length with it.
            epoch: The position of the start entry.
            time_ms: The entry's time.
        """
        try:
            guest, state = self._execution.point(), self._state
            self._sealed = ReadPoint(guest, length, epoch, time_ms, state.version, state.root.hex())
        except Exception:  # such as no memory for a snapshot: logged calls go on all the same
            _LOG.exception("read-only calls stop until the next batch of calls")
            self._sealed = None

    def advance(self, head: Head) -> None:
        """Let calls run at what was sealed last, because it is on disk under this head now."""
        sealed = self._sealed
        self._newest = None if sealed is None else _Signed(sealed, head)

    def run(self, request: Request) -> Answer:
        """Run one call at the newest point.

        Raises:
            BackendClosedError: There is no point to run at.
            NodeVMSError: The engine or the files failed.
        """
        began = self._stopwatch()
        signed, fork = self._fork()
        run = run_read_only(
            fork,
            signed.point,
            request.method,
            request.arguments,
            caller=request.caller,
            files=self._files,
            seeds=self._seeds,
            console=self._reporter.printed,
        )
        elapsed_ms = (self._stopwatch() - began) * 1000
        time_ms = signed.point.time_ms
        self._reporter.ended(Ran(None, time_ms, elapsed_ms, request, run.outcome, ()))
        return self._answer(signed, run)

    def _fork(self) -> tuple[_Signed, Fork]:
        with self._replica_lock:  # the newest is asked for inside, so that it never goes back
            signed = self._newest
            if signed is None:
                raise BackendClosedError("the backend cannot run read-only calls at this moment")
            return signed, self._replica.fork(signed.point.guest)

    def _answer(self, signed: _Signed, run: ReadOnlyRun) -> Answer:
        point, outcome = signed.point, run.outcome
        read_at = ReadAt(
            head=signed.head,
            time_ms=point.time_ms,
            files_version=point.files_version,
            files_root=point.files_root,
            gas=outcome.gas,
            seed=run.seed if isinstance(run.seed, str) else None,
        )
        stack = self._reporter.stack(outcome) if self._with_stacks else None
        return Answer(outcome.result, outcome.error, None, point.epoch, stack, read_at)
