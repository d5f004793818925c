"""One backend from its deployment to its end, over all failures between.

A failed write or a broken engine ends a running backend; its directory is opened again, as often
as it takes. There is one directory with one lock, so an end waits for whatever is being opened.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from nodevms.errors import NodeVMSError, StorageError
from nodevms.vm.deploy import Deployment
from nodevms.vm.errors import BackendClosedError
from nodevms.vm.feeds_watcher import FeedsWatcher
from nodevms.vm.requests import Outcome, Request
from nodevms.vm.running import Running, open_running, resolve
from nodevms.vm.surroundings import Surroundings

RECOVERY_PAUSES_S: Final = (0.0, 0.5, 1.0, 2.0, 5.0)

_LOG = logging.getLogger("nodevms.vm")


class Lifetime:
    """Keeps a backend running. :meth:`begin` and :meth:`end` block, and are not for the event loop.

    Args:
        deployment: What the operator asks for.
        surroundings: Gives what the backend cannot compute; called where it may block.
        loop: The event loop whose futures the calls wait for.
        queue_max: How many calls may wait.
        watcher: Is told when the feeds can be read.
    """

    def __init__(
        self,
        deployment: Deployment,
        surroundings: Callable[[], Surroundings],
        loop: asyncio.AbstractEventLoop,
        *,
        queue_max: int,
        watcher: FeedsWatcher,
    ) -> None:
        self._deployment = deployment
        self._surroundings = surroundings
        self._loop = loop
        self._queue_max = queue_max
        self._watcher = watcher
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._running: Running | None = None
        self._recovery: threading.Thread | None = None
        self.failure: asyncio.Future[NodeVMSError] = loop.create_future()

    @property
    def running(self) -> Running | None:
        """The backend; None while it is being opened, and when it has ended."""
        return self._running

    def begin(self) -> None:
        """Open the backend for the first time.

        Raises:
            NodeVMSError: As :func:`nodevms.vm.deploy.deploy`.
            BackendClosedError: It was ended meanwhile.
        """
        if not self._keep(self._open()):
            raise BackendClosedError("the backend was closed while it was being started")

    def end(self) -> None:
        """Run, log and publish what was accepted, and give the directory back."""
        with self._lock:
            self._ending.set()
            running, self._running = self._running, None
            recovery = self._recovery
        if running is not None:
            running.close()
        if recovery is not None:
            recovery.join()

    def _open(self) -> Running:
        return open_running(
            self._deployment,
            self._surroundings(),
            self._deliver,
            self._recover,
            queue_max=self._queue_max,
            watcher=self._watcher,
        )

    def _keep(self, running: Running) -> bool:
        """Let it be called, unless the end came meanwhile."""
        with self._lock:
            if not self._ending.is_set():
                store = running.backend.store
                self._watcher.opened(store.log, store.metadata, store.content)
                self._running = running
                return True
        running.close()
        return False

    def _deliver(self, outcomes: Sequence[tuple[Request, Outcome]]) -> None:
        self._loop.call_soon_threadsafe(resolve, outcomes)

    def _recover(self, error: Exception) -> None:
        """Open the directory again after a failed write or a broken engine."""
        with self._lock:
            running, self._running = self._running, None
            if self._ending.is_set() or running is None:
                return
            _LOG.error("the backend stopped: %s", running.backend.failure or error)
            self._recovery = threading.Thread(
                target=self._reopen, args=(running,), name="nodevms-recovery"
            )
            self._recovery.start()

    def _reopen(self, running: Running) -> None:
        running.close()
        if self._give_up(running.backend.failure):
            return
        attempt = 0
        while not self._ending.wait(RECOVERY_PAUSES_S[min(attempt, len(RECOVERY_PAUSES_S) - 1)]):
            attempt += 1
            try:
                reopened = self._open()
            except NodeVMSError as error:
                _LOG.error("opening the backend again failed: %s", error)
                if self._give_up(error):
                    return
                continue
            except Exception:
                _LOG.exception("opening the backend again failed")
                continue
            if self._keep(reopened):
                _LOG.warning("the backend runs again, in a new epoch")
            return

    def _give_up(self, error: NodeVMSError | None) -> bool:
        """Tell those who wait for it of a failure that no new start can mend."""
        if not isinstance(error, StorageError) or not error.fatal:
            return False
        self._loop.call_soon_threadsafe(self.failure.set_result, error)
        return True
