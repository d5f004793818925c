"""The threads that run read-only calls, and the queue before them.

The queue has bounds of its own: read-only calls take no place from logged ones. They begin in the
order in which they came, as many at once as there are threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from nodevms.vm.engine_thread import start_engine_thread
from nodevms.vm.errors import BackendClosedError
from nodevms.vm.request_queue import RequestQueue
from nodevms.vm.requests import Answer, Deliver, Request

THREADS: Final = 2
"""Each may hold a guest's memory, beside the logged calls' and that of the copies' image."""


class Readers:
    """Runs requests on threads of its own and delivers their answers.

    Args:
        run: Answers a request; called on several threads at once.
        deliver: Takes answers and failures to those who wait.
        queue_max: How many requests may wait.
        threads: How many run at once.
    """

    def __init__(
        self,
        *,
        run: Callable[[Request], Answer],
        deliver: Deliver,
        queue_max: int,
        threads: int = THREADS,
    ) -> None:
        self._run = run
        self._deliver = deliver
        self._changed = threading.Condition()
        self._queue = RequestQueue(queue_max)
        self._closing = False
        self._threads = [
            start_engine_thread(self._serve, f"nodevms-reader-{number}")
            for number in range(threads)
        ]

    @property
    def waiting(self) -> int:
        """How many accepted requests have not begun to run."""
        return len(self._queue)

    def submit(self, request: Request) -> None:
        """Accept a request: it will be run and answered.

        Raises:
            QueueFullError: Too many are waiting.
            BackendClosedError: The backend is stopping.
        """
        with self._changed:
            if self._closing:
                raise BackendClosedError("the backend is stopping and takes no more calls")
            self._queue.add(request)
            self._changed.notify()

    def refuse_waiting(self) -> None:
        """Take back every request that has not begun to run; those who wait are told."""
        with self._changed:
            waiting = self._queue.empty()
        refusal = BackendClosedError("the backend is stopping; this call was not run")
        self._deliver([(request, refusal) for request in waiting])

    def close(self) -> None:
        """Run everything that was accepted, then end the threads."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (request := self._next()) is not None:
            try:
                self._deliver([(request, self._run(request))])
            except Exception as error:  # it concerns this call alone: nothing that it did stays
                self._deliver([(request, error)])

    def _next(self) -> Request | None:
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            if not self._queue:
                return None
            return self._queue.take()
