"""Compare the engine of this source, and its replays, with those of another one, in turns.

    python bench/compare_engine.py ../other/src [--rounds 15]

Each source has a process that waits for its turn; a round asks both for each measurement, in random
order. Printed are the medians of the rounds and the median of their ratios, in processor time of
the engine's thread: where others use the machine it wanders less than the clock on the wall. What
serves here is run by both sources, so it uses only what every engine had.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from load import our_client
from replay import replay_s
from servers import ROOT, Server

from nodevms.sandbox import Engine, Limits, Operation, Sandbox
from nodevms.sandbox.instance import Instance
from nodevms.vm.engine_thread import on_engine_thread

LOGGED = 4_000
TIME_MS = 1_700_000_000_000
SCRIPT = """
let n = 0
exports.trivial = x => ++n
exports.later = async x => ++n
exports.host = () => System.files.exists('/')
exports.random = () => Math.random() < 1
exports.never = () => new Promise(() => {})
"""


class Host:
    """Answers at once, so that the way there and back is what is measured."""

    def call(self, operation: int, _request: bytes, _guest: object) -> bytes:
        """Answer one request."""
        if operation == Operation.FILES:
            return b'{"value":true}'
        return b"0123456789abcdef" if operation == Operation.SEED else b""


class Side:
    """One source's engine, with a script that runs, and a log of each example.

    Attributes:
        measurements: By name, which says the unit: how often it is done in a turn, the work, and
            how much of the unit is in a second of it.
    """

    def __init__(self, place: Path) -> None:
        self._engine = Engine()
        self._host = Host()
        self._sandbox = self._started()
        self.measurements: dict[str, tuple[int, Callable[[], object], float]] = {
            f"call of {name}, us": (2_000, lambda name=name: self._call(name), 1e6)
            for name in ("trivial", "later", "host", "random")
        }
        self.measurements |= {
            "new VM, us": (50, lambda: Instance(self._engine, Limits()), 1e6),
            "new VM with a script, us": (50, lambda: self._started().close(), 1e6),
            "undone call, us": (20, lambda: self._call("never"), 1e6),
            "500 calls and an undone one, us": (1, self._undo_many, 1e6),
        }
        for script in ("counter", "persistent-counter"):
            with Server(script, place / script) as server:
                our_client(server, 256, calls_max=LOGGED)
            work = (1, lambda at=place / script: replay_s(self._engine, at), 1e6 / LOGGED)
            self.measurements[f"replay of {script}, us a call"] = work

    def _started(self) -> Sandbox:
        sandbox = Sandbox(self._engine, Limits())
        sandbox.start(SCRIPT, None, time_ms=TIME_MS, host=self._host)
        return sandbox

    def _call(self, method: str) -> None:
        self._sandbox.call(method, b"[1]", caller="bob", time_ms=TIME_MS, host=self._host)

    def _undo_many(self) -> None:
        for _ in range(500):
            self._call("trivial")
        self._call("never")

    def turn(self, name: str) -> float:
        """Return what one turn of a measurement took, each of its works."""
        count, work, factor = self.measurements[name]
        work()
        begin = time.thread_time()
        for _ in range(count):
            work()
        return (time.thread_time() - begin) / count * factor


def serve() -> None:
    """Print the names of the measurements, then what each turn took that is asked for."""

    def answer() -> None:
        with tempfile.TemporaryDirectory() as place:
            side = Side(Path(place))
            print("|".join(side.measurements), flush=True)
            for line in sys.stdin:
                print(side.turn(line.strip()), flush=True)

    on_engine_thread(answer)


def begin(source: Path) -> subprocess.Popen[str]:
    """Start the process of a source."""
    return subprocess.Popen(
        [sys.executable, __file__, "--serve", str(source)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(side: subprocess.Popen[str], name: str) -> float:
    """Have a source take a turn."""
    assert side.stdin
    assert side.stdout
    print(name, file=side.stdin, flush=True)
    return float(side.stdout.readline())


def main() -> None:
    """Print a line for each measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="the folder src of the other source")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return
    sides = [begin(ROOT / "src"), begin(arguments.other.resolve())]
    (names,) = {side.stdout.readline().strip() for side in sides if side.stdout}
    for name in names.split("|"):
        pairs = []
        for _ in range(arguments.rounds):
            turns = {n: ask(sides[n], name) for n in random.sample((0, 1), 2)}
            pairs.append((turns[0], turns[1]))
        ours, other = (statistics.median(pair[n] for pair in pairs) for n in (0, 1))
        ratio = statistics.median(ours / other for ours, other in pairs)
        print(f"{name:<40}{ours:>10,.1f} against {other:>10,.1f}: {ratio:.2f} x", flush=True)
    for side in sides:
        side.communicate()


if __name__ == "__main__":
    main()
