"""Start time: from the command to "Serving at".

    python bench/start.py [--quick]

The first start compiles the guest and keeps the machine code; every later one loads it. A restart
opens a directory that is there; one of 100,000 calls shows that the length of the log does not
matter.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import original
from load import our_client
from servers import Server

CALLS = 100_000


def main(*, quick: bool) -> None:
    """Print start times."""
    starts = 5 if quick else 11
    calls = CALLS // 10 if quick else CALLS
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        cold = {"XDG_CACHE_HOME": str(place / "cache")}
        with Server("counter", place / "cold", cold) as server:
            show("first start ever, compiling the guest", [server.start_s])
        times = [started(place / f"new-{n}") for n in range(starts)]
        show("start in a new directory", times)
        show("restart", [started(place / "new-0") for _ in range(starts)])
        with Server("counter", place / "long") as server:
            our_client(server, 256, calls_max=calls)
        show(f"restart after {calls:,} calls", [started(place / "long") for _ in range(starts)])


def started(directory: Path) -> float:
    """Return the seconds of one start."""
    with Server("counter", directory) as server:
        return server.start_s


def show(what: str, times: list[float]) -> None:
    """Print one line."""
    median = statistics.median(times)
    spread = "" if len(times) == 1 else f" ({min(times):.2f}-{max(times):.2f})"
    old = f"original {original.START_S} s, {original.START_S / median:.1f} x as fast"
    print(f"{what:<42}{median:>6.2f} s{spread:<14} {old}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    main(quick=parser.parse_args().quick)
