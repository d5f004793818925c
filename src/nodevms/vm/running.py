"""A backend that runs: its worker, its publisher, and what becomes of a failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from nodevms.archive import remove_index
from nodevms.archive.index_file import DAMAGED
from nodevms.errors import StorageError
from nodevms.vm.backend import Backend, Logged, Surroundings
from nodevms.vm.deploy import Deployment, deploy
from nodevms.vm.directory import Layout
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.errors import BackendClosedError, OutcomeUnknownError
from nodevms.vm.feeds_watcher import FeedsWatcher
from nodevms.vm.publication import Publication
from nodevms.vm.requests import Deliver, Outcome, Request
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
        )

    def close(self) -> None:
        """Answer and log what was accepted, publish the rest, and close the store."""
        self.worker.close()
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
