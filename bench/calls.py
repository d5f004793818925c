"""Calls a second through the whole program, each answered after fdatasync.

    python bench/calls.py [--quick]

Each row is a server of its own in a new directory, one connection and so many calls in flight;
client and server share the machine. Medians of several runs, with the lowest and highest rate.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import original
from load import Run, npm_client, our_client
from servers import Disk, Server

IN_FLIGHT = (1, 32, 256)
SCRIPTS = ("counter", "persistent-counter")
HEAD = (
    "script, calls in flight           calls/s   (lowest-highest)   p50 ms   p99 ms"
    "   CPU ms  disk B (+index)  MiB"
)


def main(*, quick: bool) -> None:
    """Print one row for each script and number of calls in flight, the original's below it."""
    runs, seconds = (3, 0.7) if quick else (5, 2.0)
    print(HEAD)
    with tempfile.TemporaryDirectory() as place:
        for script in SCRIPTS:
            for in_flight in IN_FLIGHT:
                ours(Path(place), script, in_flight, runs, seconds)
        npm(Path(place), seconds)


def ours(place: Path, script: str, in_flight: int, runs: int, seconds: float) -> None:
    """Print one row and the original's."""
    directory = place / f"{script}-{in_flight}"
    with Server(script, directory) as server:
        empty = Disk.of(directory)
        warm = our_client(server, in_flight, seconds=seconds / 4)
        done = [our_client(server, in_flight, seconds=seconds) for _ in range(runs)]
        memory = server.resident_mib()
    calls = sum(run.calls for run in [warm, *done])
    disk = Disk.of(directory)  # after the server has ended, so published and tidied up
    ledger, index = (disk.ledger - empty.ledger) / calls, (disk.index - empty.index) / calls
    size = f"{ledger:>7.0f} (+{index:.1f})"
    print(f"{script}, {in_flight:<{30 - len(script)}} {rates(done)}  {size:>15} {memory:>4.0f}")
    old = original.CALLS[script, in_flight]
    rate = statistics.median(run.calls_s for run in done)
    print(
        f"{'  original':<32} {old.calls_s:>9,.0f} {f'ours is {rate / old.calls_s:.1f} x':>18}"
        f" {old.p50_ms:>8.2f} {old.p99_ms:>8.1f} {old.cpu_ms:>8.3f}"
        f"  {original.DISK_BYTES[script]:>7}          {original.RESIDENT_MIB[0]}-"
        f"{original.RESIDENT_MIB[1]}"
    )


def npm(place: Path, seconds: float) -> None:
    """Print a row with the client of 2017."""
    with Server("counter", place / "npm") as server:
        run = npm_client(server, 32, seconds)
    print(f"{'counter, 32, nodevms-client@2.0.0':<33}", end="")
    print("Node or the package is not here" if run is None else rates([run])[1:])


def rates(runs: list[Run]) -> str:
    """Return the columns from calls a second to processor time."""

    def median(name: str) -> float:
        return statistics.median(getattr(run, name) for run in runs)

    low, high = (pick(run.calls_s for run in runs) for pick in (min, max))
    return (
        f"{median('calls_s'):>9,.0f} {f'({low:,.0f}-{high:,.0f})':>18}"
        f" {median('p50_ms'):>8.2f} {median('p99_ms'):>8.1f} {median('cpu_ms'):>8.3f}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    main(quick=parser.parse_args().quick)
