"""Reading the disk beside the event loop, few at a time, first come first served.

However many read, the engine's thread and the disk's have to share the machine with no more than
these, and other work of the default executor finds a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

READS_AT_ONCE: Final = 2
T = TypeVar("T")


class Turns:
    """Runs blocking reads in the default executor, at most READS_AT_ONCE at one time."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(READS_AT_ONCE)

    async def run(self, work: Callable[[], T]) -> T:
        """Wait for a turn and return what the work returns."""
        async with self._free:
            return await asyncio.get_running_loop().run_in_executor(None, work)
