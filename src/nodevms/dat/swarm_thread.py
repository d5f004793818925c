"""A swarm on a thread and an event loop of its own, so that its disk reads block nobody's calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, Protocol, TypeVar

STOP_SECONDS: Final = 30.0
"""How long a swarm may take to end."""

T = TypeVar("T")


class _Runs(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


S = TypeVar("S", bound=_Runs)


class SwarmThread(Generic[S]):
    """Runs one :class:`Swarm` or :class:`Network`.

    Its methods may be called from any thread but its own.

    Attributes:
        swarm: The swarm; touched only through :meth:`call` and :meth:`run`.
    """

    def __init__(self, swarm: S) -> None:
        self.swarm = swarm
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main, name="nodevms-swarm", daemon=True)

    def start(self) -> None:
        """Start the thread and the swarm.

        Raises:
            OSError: It is not possible to listen; the thread has ended again.
        """
        self._thread.start()
        try:
            self.run(self.swarm.start())
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        """Stop the swarm and end the thread."""
        try:
            self.run(self.swarm.stop(), seconds=STOP_SECONDS)
        except TimeoutError:
            return  # a thread that hangs ends with the process
        except BaseException:
            self._end()
            raise
        self._end()

    def call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Return what a function of the swarm returns, called on its thread."""

        async def called() -> T:
            return function(*arguments, **named)

        return self.run(called())

    def run(self, coroutine: Coroutine[Any, Any, T], *, seconds: float | None = None) -> T:
        """Return what a coroutine returns on the swarm's loop.

        Args:
            coroutine: What to run.
            seconds: How long to wait for it; then it is cancelled.

        Raises:
            TimeoutError: It took longer.
        """
        running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return running.result(seconds)
        finally:
            running.cancel()

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
