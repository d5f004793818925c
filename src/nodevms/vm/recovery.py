"""Recovery: a backend that fails is opened again from its directory, until it is closed.

A failed write or a broken engine leaves memory and disk apart, so nothing in memory is used again:
what the directory holds decides, and the script starts afresh with a restart entry.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from nodevms.errors import NodeVMSError, StorageError
from nodevms.vm.running import Running

PAUSES_S: Final = (0.0, 0.5, 1.0, 2.0, 5.0)
"""How long to wait before each attempt; the last holds for all that follow."""

_LOG = logging.getLogger("nodevms.vm")


class Recovery:
    """Keeps one backend running.

    Attributes:
        running: The backend, or None before it begins, while it recovers, and after its end.
    """

    def __init__(
        self,
        begin: Callable[[Callable[[Exception], None]], Running],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Take what is needed; nothing runs before :meth:`start`.

        Args:
            begin: Opens the directory and starts the backend; it is given what to call, on any
                thread, when the backend fails.
            loop: Where those who wait for the backend are.
        """
        self.running: Running | None = None
        self._begin = begin
        self._loop = loop
        self._failure: asyncio.Future[NodeVMSError] = loop.create_future()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._reopening: threading.Thread | None = None

    async def start(self) -> None:
        """Begin. What the first attempt raises is raised here, and nothing is tried again."""
        self.running = await self._loop.run_in_executor(None, self._begin, self._failed)

    async def failure(self) -> NodeVMSError:
        """Wait until the backend has failed for good, and return why."""
        return await asyncio.shield(self._failure)

    async def close(self) -> None:
        """End the backend in order. When this returns, the directory is nobody's."""
        with self._lock:
            self._closing.set()
            running, self.running = self.running, None
            reopening = self._reopening
        if running is not None:
            await self._loop.run_in_executor(None, running.close)
        if reopening is not None:
            await self._loop.run_in_executor(None, reopening.join)

    def _failed(self, error: Exception) -> None:
        with self._lock:
            running, self.running = self.running, None
            if self._closing.is_set() or running is None:
                return
            _LOG.error("the backend stopped: %s", running.backend.failure or error)
            self._reopening = threading.Thread(
                target=self._reopen, args=(running,), name="nodevms-recovery"
            )
            self._reopening.start()

    def _reopen(self, failed: Running) -> None:
        failed.close()
        if self._give_up(failed.backend.failure):
            return
        attempt = 0
        while not self._closing.wait(PAUSES_S[min(attempt, len(PAUSES_S) - 1)]):
            attempt += 1
            try:
                reopened = self._begin(self._failed)
            except NodeVMSError as error:
                _LOG.error("opening the backend again failed: %s", error)
                if self._give_up(error):
                    return
                continue
            with self._lock:
                if not self._closing.is_set():
                    self.running = reopened
                    _LOG.warning("the backend runs again, in a new epoch")
                    return
            reopened.close()

    def _give_up(self, error: NodeVMSError | None) -> bool:
        """Tell those who wait for it of a failure that no new start can mend."""
        if isinstance(error, StorageError) and error.fatal:
            self._loop.call_soon_threadsafe(self._failure.set_result, error)
            return True
        return False
