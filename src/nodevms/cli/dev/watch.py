"""Notices that a file was changed, however its editor writes it.

It looks at one file a few times a second. That costs next to nothing, and sees what notifications
of the system miss: network folders, folders of containers, and editors that put a new file in the
place of the old one. A change counts when the file stayed the same for one more look, so that no
half of a file is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal, TypeAlias

LOOK_SECONDS: Final = 0.1
GONE_LOOKS: Final = 10
"""For so long an editor may take to put a new file in the place of the old one."""

Signature: TypeAlias = tuple[int, ...]


def signature_of(path: Path) -> Signature | None:
    """Return what changes with every write to a file; None while there is no file."""
    try:
        seen = path.stat()
    except (OSError, ValueError):
        return None
    return seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size, seen.st_ino, seen.st_dev


class FileWatch:
    """Watches one file from now on.

    Args:
        look: Returns the file's signature; it may block.
        pause: Waits until the next look.
    """

    def __init__(
        self,
        look: Callable[[], Signature | None],
        pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(LOOK_SECONDS),
    ) -> None:
        self._look = look
        self._pause = pause
        self._known = look()
        self._gone = False

    async def change(self) -> Literal["changed", "gone"]:
        """Wait until the file is another one than before, or has been gone for a while."""
        missing = 0
        before = self._known
        while True:
            await self._pause()
            seen = await asyncio.to_thread(self._look)
            missing = missing + 1 if seen is None else 0
            if missing == GONE_LOOKS and not self._gone:
                self._gone = True
                return "gone"
            if seen is not None and seen == before and (seen != self._known or self._gone):
                self._known, self._gone = seen, False
                return "changed"
            before = seen
