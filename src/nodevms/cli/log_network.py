"""A call log read from the Dat network: only the entries that are printed are fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from nodevms.cli.network_options import NetworkWish, joined
from nodevms.errors import CouldNotCheckError
from nodevms.feed import PartialFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodevms.dat import Fetch

AHEAD_BLOCKS: Final = 2048
LOOK_SECONDS: Final = 0.25


class NetworkLog:
    """The log that somebody in the network has; a `LogSource`."""

    def __init__(self, fetch: Fetch, patience_seconds: float) -> None:
        self._fetch = fetch
        self._patience_seconds = patience_seconds
        self._wanted = 0

    async def find(self) -> None:
        """Find somebody who has the log, and learn how long it is.

        Raises:
            CouldNotCheckError: Nobody was found.
            ForkError: The log has two histories.
        """
        await self._until(
            lambda: self._fetch.heard and self._fetch.feed.length > 0,
            self._fetch.say_absent,
            code="dat-nobody",
            hint="Is it shared now? Name somebody who has it with --peer HOST:PORT.",
        )

    async def length(self) -> int:
        """See `LogSource`."""
        return self._fetch.feed.length

    async def blocks(self, numbers: range) -> list[bytes]:
        """See `LogSource`."""
        feed = self._fetch.feed
        if numbers.stop > self._wanted:
            first = max(self._wanted, numbers.start)
            self._wanted = numbers.start + max(AHEAD_BLOCKS, len(numbers))
            self._fetch.want([(first, self._wanted)])
        await self._until(
            lambda: next(feed.missing(numbers.start, numbers.stop), None) is None,
            lambda: "nothing more came of the log",
            code="dat-stalled",
            hint="Try again, or name another peer with --peer HOST:PORT.",
        )
        return [feed.get(seq) for seq in numbers]

    async def grown(self, length: int) -> None:
        """See `LogSource`."""
        while self._fetch.feed.length <= length:
            await self._fetch.news(LOOK_SECONDS)

    async def _until(
        self,
        condition: Callable[[], bool],
        complaint: Callable[[], str],
        *,
        code: str,
        hint: str,
    ) -> None:
        seen: object = None
        waited = 0.0
        while not condition():
            await self._fetch.news(LOOK_SECONDS)
            now = (self._fetch.feed.length, self._fetch.progress.blocks)
            waited = waited + LOOK_SECONDS if now == seen else 0.0
            seen = now
            if waited >= self._patience_seconds:
                raise CouldNotCheckError(complaint(), code=code, hint=hint)


@asynccontextmanager
async def network_log(
    key: bytes, wish: NetworkWish, patience_seconds: float, *, live: bool
) -> AsyncIterator[NetworkLog]:
    """Find a log in the network.

    Args:
        key: The log's public key.
        wish: How to find it.
        patience_seconds: How long nothing may come.
        live: Go on with what is new.

    Raises:
        CouldNotCheckError: Nobody was found.
    """
    from nodevms.audit import default_state_folder
    from nodevms.dat import Fetch

    with TemporaryDirectory() as folder:
        async with joined(wish) as network:
            with PartialFeed.create(Path(folder), "call-log.", key) as feed:
                evidence = default_state_folder() / "evidence"
                fetch = Fetch(network, feed, evidence=evidence, ranges=(), live=live)
                fetch.begin()
                try:
                    log = NetworkLog(fetch, patience_seconds)
                    await log.find()
                    yield log
                finally:
                    await fetch.end()
