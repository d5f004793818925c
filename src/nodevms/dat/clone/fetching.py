"""What cloning needs of the network, and what it lets the network cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from nodevms.dat.clone.checkout import ContentFeed
from nodevms.dat.clone.listing import ENTRIES_MAX
from nodevms.errors import CouldNotCheckError

BYTES_MAX: Final = 64 * 1024**3
LOOK_SECONDS: Final = 0.25
"""How often what came is looked at, at most."""
NAME_A_PEER: Final = "Is it shared now? Name somebody who has it with --peer HOST:PORT."
GO_ON: Final = "Run the command again to go on where it stopped."


class FollowedFeed(ContentFeed, Protocol):
    """A feed with holes that is being downloaded."""

    @property
    def key(self) -> bytes:
        """The feed's public key."""

    @property
    def length(self) -> int:
        """Number of blocks under the longest head that was proved."""

    @property
    def byte_length(self) -> int:
        """Bytes of all these blocks."""


class Fetching(Protocol):
    """The download of one feed, which goes on by itself."""

    @property
    def feed(self) -> FollowedFeed:
        """What is there of the feed."""

    @property
    def heard(self) -> bool:
        """Whether a peer has said what it has, and its longest head is ours."""

    def want(self, ranges: Iterable[tuple[int, int]], /) -> None:
        """Ask for blocks, each range as (first, one past the last), beside those wanted before."""

    async def news(self, seconds: float, /) -> None:
        """Return when blocks or a longer head may have come, or after so many seconds.

        Raises:
            NodeVMSError: The download cannot go on, as after a fork.
        """


@dataclass(frozen=True, slots=True)
class CloneLimits:
    """What a clone may cost.

    Attributes:
        bytes_max: Bytes that are fetched and written.
        entries_max: Files and folders.
        patience_seconds: How long nothing may come.
    """

    bytes_max: int = BYTES_MAX
    entries_max: int = ENTRIES_MAX
    patience_seconds: float = 60.0

    def refuse_bytes(self, size: int) -> None:
        """Refuse to fetch more than is allowed.

        Raises:
            CouldNotCheckError: It is more; code ``ceiling``.
        """
        if size > self.bytes_max:
            raise CouldNotCheckError(
                f"This takes {size:,} bytes; at most {self.bytes_max:,} are fetched.",
                code="ceiling",
                hint="Fetch more with --max-download BYTES.",
            )


class Stall:
    """Tells when nothing has changed for too long.

    Args:
        seconds: How long nothing may change.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: object = None
        self._since = _now()

    def is_over(self, seen: object) -> bool:
        """Tell whether what is seen has been the same for too long; begins anew if so."""
        if seen != self._seen:
            self._seen, self._since = seen, _now()
        if _now() - self._since < self._seconds:
            return False
        self._since = _now()
        return True


async def wait_for(
    fetching: Fetching,
    condition: Callable[[], bool],
    seconds: float,
    complaint: str,
    *,
    code: str,
    seen: Callable[[], object] = lambda: None,
) -> None:
    """Wait for something to come.

    Args:
        fetching: The download that brings it.
        condition: Tells whether it is here.
        seconds: How long nothing may come meanwhile.
        complaint: What to say if nothing does.
        code: The code of that error.
        seen: Returns what changes as long as something comes.

    Raises:
        CouldNotCheckError: Nothing came.
    """
    stall = Stall(seconds)
    while not condition():
        await fetching.news(LOOK_SECONDS)
        if stall.is_over((fetching.feed.length, seen())) and not condition():
            hint = NAME_A_PEER if code == "dat-nobody" else GO_ON
            raise CouldNotCheckError(complaint, code=code, hint=hint)


def _now() -> float:
    return asyncio.get_running_loop().time()
