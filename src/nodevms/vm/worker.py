"""The script-wide lock: one thread runs the calls in order, a second makes them last.

Calls that wait together are committed together. While one batch is being written and synced,
the next one runs; it is handed over as soon as the disk is free again. So a single caller waits
for one sync, and many callers share one.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from nodevms.vm.errors import BackendClosedError, QueueFullError
from nodevms.vm.requests import Request

BATCH_CALLS_MAX: Final = 1024
BATCH_BYTES_MAX: Final = 8 * 1024 * 1024

Executed = TypeVar("Executed")


class Worker(Generic[Executed]):
    """Runs requests one at a time and hands what they did over in batches.

    The two callbacks run on threads of their own: ``execute`` on the engine's, ``commit`` on
    the disk's. ``commit`` answers the callers and does not raise; it returns False when the
    backend cannot go on, and everything that was not yet run or committed goes to ``abandon``.
    """

    def __init__(
        self,
        *,
        execute: Callable[[Request], Executed],
        commit: Callable[[list[Executed]], bool],
        abandon: Callable[[list[Executed], list[Request]], None],
        size: Callable[[Executed], int],
        queue_max: int,
        stack_bytes: int,
    ) -> None:
        self._execute = execute
        self._commit = commit
        self._abandon = abandon
        self._size = size
        self._queue_max = queue_max
        self._changed = threading.Condition()
        self._queue: deque[Request] = deque()
        self._handed: list[Executed] | None = None
        self._closing = False
        self._failed = False
        self._engine_done = False
        previous = threading.stack_size(stack_bytes)
        try:
            self._engine = threading.Thread(target=self._run_calls, name="nodevms-engine")
            self._engine.start()
        finally:
            threading.stack_size(previous)
        self._disk = threading.Thread(target=self._run_commits, name="nodevms-disk")
        self._disk.start()

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
        with self._changed:
            if self._closing or self._failed:
                raise BackendClosedError("the backend is stopping and takes no more calls")
            if len(self._queue) >= self._queue_max:
                raise QueueFullError("Too many active requests. Try again in a few minutes.")
            self._queue.append(request)
            self._changed.notify_all()

    def close(self) -> None:
        """Run and commit everything that was accepted, then end both threads."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._engine.join()
        self._disk.join()

    def _run_calls(self) -> None:
        batch: list[Executed] = []
        size = 0
        while True:
            request, handover = self._next(bool(batch), len(batch), size)
            if request is not None:
                executed = self._run_one(request, batch)
                if executed is None:
                    break
                batch.append(executed)
                size += self._size(executed)
            elif handover:
                self._hand_over(batch)
                batch, size = [], 0
            else:
                break
        self._finish(batch)

    def _run_one(self, request: Request, batch: list[Executed]) -> Executed | None:
        try:
            return self._execute(request)
        except Exception as error:  # the engine or the disk failed: nothing after this may run
            request.reply(error)
            with self._changed:
                self._failed = True
            return None

    def _next(self, pending: bool, calls: int, size: int) -> tuple[Request | None, bool]:
        """Wait for the next request to run, or for the moment to hand the batch over."""
        full = calls >= BATCH_CALLS_MAX or size >= BATCH_BYTES_MAX
        with self._changed:
            while True:
                if self._failed:
                    return None, False
                if pending and self._handed is None and (full or not self._queue or calls > 0):
                    return None, True
                if self._queue and not full:
                    return self._queue.popleft(), False
                if self._closing and not self._queue and not pending:
                    return None, False
                self._changed.wait()

    def _hand_over(self, batch: list[Executed]) -> None:
        with self._changed:
            self._handed = batch
            self._changed.notify_all()

    def _finish(self, batch: list[Executed]) -> None:
        with self._changed:
            self._engine_done = True
            waiting = list(self._queue) if self._failed else []
            if self._failed:
                self._queue.clear()
            self._changed.notify_all()
        if self._failed:
            self._abandon(batch, waiting)

    def _run_commits(self) -> None:
        while True:
            with self._changed:
                while self._handed is None and not self._engine_done:
                    self._changed.wait()
                batch = self._handed
            if batch is None:
                return
            went_well = self._commit(batch)
            with self._changed:
                self._handed = None
                if not went_well:
                    self._failed = True
                self._changed.notify_all()
