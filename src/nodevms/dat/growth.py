"""From the thread that appends to a feed to the loop that tells its readers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable


class Growth:
    """Passes on that a feed grew. Calls that come close together are one: appending stays fast."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, tell: Callable[[bytes], None], pause_seconds: float
    ) -> None:
        """Pass on to a loop.

        Args:
            loop: Where ``tell`` is called.
            tell: Takes the discovery key of a feed that grew.
            pause_seconds: How long calls about one feed are gathered.
        """
        self._loop = loop
        self._tell = tell
        self._pause_seconds = pause_seconds
        self._grown: set[bytes] = set()

    def grew(self, name: bytes) -> None:
        """A feed grew. May be called from any thread, and returns at once.

        Args:
            name: The feed's discovery key.
        """
        if name in self._grown:
            return
        self._grown.add(name)
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(self._gather, name)

    def _gather(self, name: bytes) -> None:
        self._loop.call_later(self._pause_seconds, self._pass_on, name)

    def _pass_on(self, name: bytes) -> None:
        self._grown.discard(name)
        self._tell(name)
