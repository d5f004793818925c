"""Our side of a replication, as a process of its own: serves feeds, or downloads them to the disk.

    python bench/replica.py serve DIRECTORY [DIRECTORY]
    python bench/replica.py fetch ADDRESS DIRECTORY KEY [KEY]

With two feeds the first is a drive's metadata. Prints JSON lines as the programs for Node beside
the tests do: ``ready`` with keys and port, or ``synced`` with the milliseconds from the connection
until everything is proved, stored and synced. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from nodevms.dat import Address, Fetch, Network, PublishedFeed, Swarm
from nodevms.feed import Feed, PartialFeed


def say(event: str, **values: object) -> None:
    """Print a JSON line."""
    print(json.dumps({"event": event, **values}), flush=True)


async def input_ends() -> None:
    """Wait for the end of the standard input."""
    await asyncio.to_thread(sys.stdin.read)


async def serve(*directories: Path) -> None:
    """Share feeds on a free port of loopback."""
    swarm = Swarm(port=0)
    await swarm.start()
    feeds = [Feed.open(directory, "", writable=False) for directory in directories]
    for number, feed in enumerate(feeds):
        swarm.share(PublishedFeed(feed), drive=len(feeds) > 1 and number == 0)
    say("ready", port=swarm.port, key=feeds[0].key.hex(), keys=[feed.key.hex() for feed in feeds])
    await input_ends()
    await swarm.stop()


async def fetch(address: str, directory: Path, *keys: bytes) -> None:
    """Download feeds whole from one address."""
    host, _, port = address.rpartition(":")
    network = Network(Swarm(port=None))
    network.always_ask(Address(host, int(port)))
    await network.start()
    begin = time.perf_counter()
    fetches = []
    for number, key in enumerate(keys):
        feed = PartialFeed.create(directory, f"{number}.", key)
        fetch = Fetch(network, feed, evidence=directory / "evidence", drive=number < len(keys) - 1)
        fetch.begin()
        fetches.append(fetch)
    for fetch in fetches:
        while not (fetch.done and fetch.feed.length):
            await fetch.news(1.0)
        await fetch.flush()
    say(
        "synced",
        ms=(time.perf_counter() - begin) * 1000,
        lengths=[fetch.feed.length for fetch in fetches],
        byte_lengths=[fetch.feed.byte_length for fetch in fetches],
    )
    await input_ends()
    await network.stop()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(*map(Path, sys.argv[2:])))
    else:
        address_, directory_, *keys_ = sys.argv[2:]
        asyncio.run(fetch(address_, Path(directory_), *map(bytes.fromhex, keys_)))
