"""Our side of a download from a program on this computer: a swarm of the test's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nodevms.dat import Address, Fetch, Limits, Network, Swarm
from nodevms.feed import PartialFeed, read_evidence

PATIENCE_S = 30.0
LIMITS = Limits(retry_seconds_max=0.2)
"""Who was sent away is asked again soon."""


class Fetching:
    """A feed that is downloaded into a folder, from addresses that the test names.

    Attributes:
        fetch: The download.
        feed: Where it goes.
    """

    def __init__(self, network: Network, fetch: Fetch) -> None:
        self._network = network
        self.fetch = fetch
        self.feed = fetch.feed

    def ask(self, port: int) -> None:
        """Connect to a program."""
        self._network.swarm.connect("127.0.0.1", port, self.feed.key)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something is true; raises what ended the download."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await self.fetch.news(0.05)

    async def whole(self, length: int) -> list[bytes]:
        """Wait until so many blocks are there, and return them."""
        await self.until(lambda: self.feed.length >= length and self.fetch.complete)
        return [self.feed.get(index) for index in range(self.feed.length)]


@asynccontextmanager
async def fetching(
    directory: Path,
    key: bytes,
    *ports: int,
    live: bool = True,
    clock: Callable[[], float] = time.monotonic,
    **options: Any,
) -> AsyncIterator[Fetching]:
    """Download a feed; what was there before is kept. Evidence goes to the folder ``forks``."""
    network = Network(Swarm(port=0, clock=clock, limits=LIMITS))
    await network.start()
    make = PartialFeed.open if (directory / "key").exists() else PartialFeed.create
    feed = make(directory, "", key)
    fetch = Fetch(network, feed, evidence=directory / "forks", live=live, clock=clock, **options)
    for port in ports:
        network.always_ask(Address("127.0.0.1", port))
    fetch.begin()
    try:
        yield Fetching(network, fetch)
    finally:
        await fetch.end()
        feed.close()
        await network.stop()


def check_evidence(directory: Path, key: bytes) -> None:
    """Check that the proof of one fork is kept, for anybody to check."""
    (path,) = (directory / "forks").iterdir()
    evidence = read_evidence(path)
    evidence.check()
    assert evidence.key == key
