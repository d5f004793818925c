"""Read-only calls a second, alone and beside logged ones, and what they cost those.

    python bench/reads.py [--quick]

Two servers, one of a script without read-only methods, take turns in random order, so that the
ratio says what the methods alone cost; then logged calls run with readers beside them. Each load is
a connection of its own with 32 calls in flight; clients and server share the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from pathlib import Path

from servers import Server

from nodevms.rpc import RPCClient

IN_FLIGHT = 32


def main(*, quick: bool) -> None:
    """Print the rates."""
    rounds, seconds = (6, 0.4) if quick else (20, 0.5)
    with (
        tempfile.TemporaryDirectory() as place,
        Server("counter", Path(place) / "plain") as plain,
        Server("reads", Path(place) / "reads") as reads,
    ):
        compare(plain, reads, rounds, seconds)
        print(f"\n{'one load at a time':<34} calls/s (lowest-highest)")
        for method in ("increment", "get", "logged"):
            show(method, [rates(reads, [method], seconds)[0] for _ in range(rounds)])
        print("\nboth at once")
        both = [rates(reads, ["increment", "get"], seconds) for _ in range(rounds)]
        show("increment, beside get", [rate for rate, _ in both])
        show("get, beside increment", [rate for _, rate in both])


def compare(plain: Server, reads: Server, rounds: int, seconds: float) -> None:
    """Print the ratio of logged calls with and without read-only methods that nobody calls."""
    found: dict[Server, list[float]] = {plain: [], reads: []}
    for _ in range(rounds):
        for server in random.sample([plain, reads], 2):
            found[server].append(rates(server, ["increment"], seconds)[0])
    ratios = [with_ / without for without, with_ in zip(*found.values(), strict=True)]
    print(f"{'logged calls, 32 in flight':<34} calls/s (lowest-highest)")
    show("script without read-only methods", found[plain])
    show("script with some, not called", found[reads])
    print(f"  ratio, median of the rounds: {statistics.median(ratios):.2f}")


def rates(server: Server, methods: list[str], seconds: float) -> list[float]:
    """Return the calls a second of each method, all called at once for some seconds."""

    async def load() -> list[float]:
        return await asyncio.gather(*(_one(server, method, seconds) for method in methods))

    return asyncio.run(load())


async def _one(server: Server, method: str, seconds: float) -> float:
    done = 0
    async with RPCClient() as client:
        await client.connect(server.address)
        start = time.perf_counter()

        async def worker() -> None:
            nonlocal done
            while time.perf_counter() < start + seconds:
                await client.call_json(method)
                done += 1

        await asyncio.gather(*[worker() for _ in range(IN_FLIGHT)])
        return done / (time.perf_counter() - start)


def show(name: str, found: list[float]) -> None:
    """Print one row."""
    span = f"({min(found):,.0f}-{max(found):,.0f})"
    print(f"  {name:<32} {statistics.median(found):>7,.0f} {span}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    main(quick=parser.parse_args().quick)
