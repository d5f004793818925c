"""The script-wide lock: one thread runs the calls in order, a second makes them last.

Calls that wait together are committed together. While one batch is being written and synced,
the next one runs; it is handed over as soon as the disk is free again. So a single caller waits
for one sync, and many callers share one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from nodevms.vm.engine_thread import start_engine_thread
from nodevms.vm.errors import BackendClosedError
from nodevms.vm.request_queue import RequestQueue
from nodevms.vm.requests import Deliver, Request

_LOG = logging.getLogger("nodevms.vm")

BATCH_CALLS_MAX: Final = 1024
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024

Executed = TypeVar("Executed")


class Worker(Generic[Executed]):
    """Runs requests one at a time and hands what they did over in batches.

    The callbacks run on threads of their own: ``execute`` and ``seal`` on the engine's, ``commit``
    on the disk's. ``seal`` gets each batch that is complete, before the next call runs, and raises
    nothing. ``commit`` answers the callers; it returns False when the backend cannot go on, and
    everything that was not yet run or committed goes to ``abandon``, the batch included if it
    raises what nobody foresaw.
    """

    def __init__(
        self,
        *,
        execute: Callable[[Request], Executed],
        commit: Callable[[list[Executed]], bool],
        abandon: Callable[[list[Executed], list[Request]], None],
        size: Callable[[Executed], int],
        deliver: Deliver,
        queue_max: int,
        seal: Callable[[list[Executed]], None] = lambda _: None,
    ) -> None:
        self._execute = execute
        self._seal = seal
        self._commit = commit
        self._abandon = abandon
        self._size = size
        self._deliver = deliver
        self._lock = threading.Lock()
        # One each: waking a thread that has nothing to do costs as much as a small call.
        self._for_engine = threading.Condition(self._lock)
        self._for_disk = threading.Condition(self._lock)
        self._queue = RequestQueue(queue_max)
        self._handed: list[Executed] | None = None
        self._unanswered: list[Executed] = []
        self._closing = False
        self._engine_failed = False
        self._disk_failed = False
        self._engine_done = False
        self._disk = threading.Thread(target=self._run_commits, name="nodevms-disk")
        self._disk.start()
        self._engine = start_engine_thread(self._run_calls)

    @property
    def waiting(self) -> int:
        """How many accepted requests have not begun to run."""
        return len(self._queue)

    def submit(self, request: Request) -> None:
        """Accept a request: it will be run, logged and answered.

        Raises:
            QueueFullError: Too many are waiting.
            BackendClosedError: The backend is stopping, or failed.
        """
        with self._lock:
            if self._closing or self._engine_failed or self._disk_failed:
                raise BackendClosedError("the backend is stopping and takes no more calls")
            self._queue.add(request)
            self._for_engine.notify()

    def refuse_waiting(self) -> None:
        """Take back every request that has not begun to run; those who wait are told."""
        with self._lock:
            waiting = self._queue.empty()
            self._for_engine.notify()
        refusal = BackendClosedError("the backend is stopping; this call was not run")
        self._deliver([(request, refusal) for request in waiting])

    def close(self) -> None:
        """Run and commit everything that was accepted, then end both threads."""
        with self._lock:
            self._closing = True
            self._for_engine.notify()
        self._engine.join()

    def _run_calls(self) -> None:
        batch: list[Executed] = []
        size = 0
        while True:
            request = self._next(len(batch), size)
            if request is not None:
                try:
                    batch.append(self._execute(request))
                except Exception as error:  # the engine broke: what ran before it still counts
                    self._deliver([(request, error)])
                    self._stop_after_failure()
                    continue
                size += self._size(batch[-1])
            elif batch and self._hand_over(batch):
                batch, size = [], 0
            else:
                break
        self._finish(batch)

    def _next(self, calls: int, size: int) -> Request | None:
        """Wait for a request to run; None when the batch should go, or everything ended."""
        full = calls >= BATCH_CALLS_MAX or size >= BATCH_BYTES_MAX
        with self._lock:
            while not self._disk_failed:
                if calls and self._handed is None:
                    return None
                if self._queue and not full and not self._engine_failed:
                    return self._queue.take()
                if not calls and (self._closing or self._engine_failed):
                    return None
                self._for_engine.wait()
            return None

    def _hand_over(self, batch: list[Executed]) -> bool:
        self._seal(batch)
        with self._lock:
            if self._disk_failed:
                return False
            self._handed = batch
            self._for_disk.notify()
            return True

    def _stop_after_failure(self) -> None:
        with self._lock:
            self._engine_failed = True

    def _finish(self, batch: list[Executed]) -> None:
        with self._lock:
            self._engine_done = True
            self._closing = True
            waiting = self._queue.empty()
            self._for_disk.notify()
        self._disk.join()
        if self._engine_failed or self._disk_failed:
            self._abandon(self._unanswered + batch, waiting)

    def _run_commits(self) -> None:
        while True:
            with self._lock:
                while self._handed is None and not self._engine_done:
                    self._for_disk.wait()
                batch = self._handed
            if batch is None:
                return
            try:
                went_well = self._commit(batch)
            except Exception:  # the callers and the other thread must not wait for ever
                _LOG.exception("a batch of calls was not committed")
                went_well, self._unanswered = False, batch
            with self._lock:
                self._handed = None
                if not went_well:
                    self._disk_failed = True
                self._for_engine.notify()
