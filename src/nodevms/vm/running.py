"""A backend that runs: its worker, its publisher, and what becomes of a failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from nodevms.archive import remove_index
from nodevms.archive.index_file import DAMAGED
from nodevms.errors import StorageError
from nodevms.vm.backend import Backend, Logged
from nodevms.vm.deploy import Deployment, deploy
from nodevms.vm.directory import Layout
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.errors import BackendClosedError, OutcomeUnknownError
from nodevms.vm.feeds_watcher import FeedsWatcher
from nodevms.vm.publication import Publication
from nodevms.vm.readers import Readers
from nodevms.vm.requests import Deliver, Outcome, Request
from nodevms.vm.surroundings import Surroundings
from nodevms.vm.worker import Worker

_LOG = logging.getLogger("nodevms.vm")

QUEUE_MAX: Final = 1000
QUEUE_CEILING: Final = 100_000


class Running:
    """A backend with its threads."""

    def __init__(
        self,
        backend: Backend,
        deliver: Deliver,
        failed: Callable[[Exception], None],
        *,
        queue_max: int = QUEUE_MAX,
        watcher: FeedsWatcher,
    ) -> None:
        self.backend = backend
        self._watcher = watcher
        self.methods = backend.methods
        self.names = frozenset(method.name for method in self.methods)
        self.readonly = frozenset(method.name for method in self.methods if method.readonly)
        self._deliver = deliver
        self._failed = failed
        self._publication = Publication(backend.store)
        self.worker: Worker[Logged] = Worker(
            execute=backend.execute,
            commit=self._commit,
            abandon=self._abandon,
            size=lambda logged: logged.size,
            deliver=deliver,
            queue_max=queue_max,
            seal=backend.seal,
        )
        read_only = backend.read_only
        self._readers = None
        if read_only is not None:
            self._readers = Readers(run=read_only.run, deliver=deliver, queue_max=queue_max)

    def submit(self, request: Request) -> None:
        """Accept a call: of a read-only method beside the lock, of any other to be logged.

        Raises:
            QueueFullError: Too many are waiting.
            BackendClosedError: The backend is stopping, or failed.
        """
        if self._readers is not None and request.method in self.readonly:
            self._readers.submit(request)
        else:
            self.worker.submit(request)

    def refuse_waiting(self) -> None:
        """Refuse the calls that have not begun to run; their callers are told."""
        self.worker.refuse_waiting()
        if self._readers is not None:
            self._readers.refuse_waiting()

    def close(self) -> None:
        """Answer what was accepted, log it, publish the rest, and close the store."""
        self.worker.close()
        if self._readers is not None:
            self._readers.close()
        self._publication.close()
        try:
            self._watcher.closing()
        finally:
            self.backend.close()

    def _commit(self, batch: list[Logged]) -> bool:
        went_well = self.backend.commit(batch, self._deliver)
        if went_well:
            self._publication.note(
                [(logged.executed.changes, logged.time_ms) for logged in batch],
                batch[-1].seq + 1,
            )
        return went_well

    def _abandon(self, executed: list[Logged], waiting: list[Request]) -> None:
        unknown = OutcomeUnknownError("the call ran, but whether it is in the log is not known")
        closed = BackendClosedError("the backend failed before this call was run or logged")
        self._deliver(
            [(logged.request, unknown) for logged in executed]
            + [(request, closed) for request in waiting]
        )
        self._failed(unknown)


def open_running(
    deployment: Deployment,
    surroundings: Surroundings,
    deliver: Deliver,
    failed: Callable[[Exception], None],
    *,
    queue_max: int,
    watcher: FeedsWatcher,
) -> Running:
    """Begin or go on with a backend, and start its threads.

    An index of the files that turns out to be damaged is removed, and it is tried once more: it is
    derived, and is made again.

    Raises:
        NodeVMSError: As :func:`nodevms.vm.deploy.deploy`, or the published files are damaged.
    """

    def opened() -> Running:
        backend = on_engine_thread(lambda: deploy(deployment, surroundings))
        try:
            return Running(backend, deliver, failed, queue_max=queue_max, watcher=watcher)
        except BaseException:
            backend.close()  # its lock, above all
            raise

    try:
        return opened()
    except StorageError as error:
        if error.code != DAMAGED:
            raise
        _LOG.warning("%s: it is made again from the call log", error)
        remove_index(Layout(deployment.directory).state)
        return opened()


def resolve(outcomes: Sequence[tuple[Request, Outcome]]) -> None:
    """Settle the futures that wait for these outcomes; runs on their event loop."""
    for request, outcome in outcomes:
        future = request.token
        if not isinstance(future, asyncio.Future) or future.done():
            continue
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
