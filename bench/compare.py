"""Compare this source with another one, in turns on one machine.

    python bench/compare.py ../other/src [--rounds 8] [--script counter] [--in-flight 1 32 256]

A machine that others use too gives figures that wander; the ratio of two servers that take turns
wanders much less. Each round has a random order and a pause before each turn, because a server
still publishes when its turn is over. Prints the median of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from load import Run, our_client
from servers import ROOT, Server

PAUSE_S = 0.4


def main() -> None:
    """Print a line for each number of calls in flight, and one for the start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--script", default="counter")
    parser.add_argument("--in-flight", type=int, nargs="*", default=[1, 32, 256])
    arguments = parser.parse_args()
    sources = [str(ROOT / "src"), str(arguments.other.resolve())]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        starts = []
        for n in range(arguments.rounds):
            pair = []
            for side, source in enumerate(sources):
                with Server("counter", place / f"{n}-{side}", {"PYTHONPATH": source}) as server:
                    pair.append(server.start_s)
            starts.append(pair)
        show("start, s", starts)
        for in_flight in arguments.in_flight:
            with (
                Server(arguments.script, place / f"a{in_flight}", {"PYTHONPATH": sources[0]}) as a,
                Server(arguments.script, place / f"b{in_flight}", {"PYTHONPATH": sources[1]}) as b,
            ):
                runs = [
                    turns([a, b], in_flight, arguments.seconds) for _ in range(arguments.rounds)
                ]
            what = f"{arguments.script}, {in_flight} in flight"
            show(f"{what}, calls/s", [[run.calls_s for run in pair] for pair in runs])
            show(f"{what}, CPU ms", [[run.cpu_ms for run in pair] for pair in runs])


def turns(servers: list[Server], in_flight: int, seconds: float) -> list[Run]:
    """Run each server once, in any order, and return the runs in the servers' order."""
    runs = {}
    for number in random.sample(range(len(servers)), len(servers)):
        time.sleep(PAUSE_S)
        runs[number] = our_client(servers[number], in_flight, seconds=seconds)
    return [runs[number] for number in range(len(servers))]


def show(what: str, pairs: list[list[float]]) -> None:
    """Print both medians and the median ratio of this source to the other one."""
    ours, other = (statistics.median(pair[side] for pair in pairs) for side in (0, 1))
    ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
    print(f"{what:<44} {ours:>10,.3f} against {other:>10,.3f}: {ratio:.2f} x", flush=True)


if __name__ == "__main__":
    main()
