"""How long the worst calls that we know take before a limit ends them.

    python bench/limits.py [--gas N] [--only TEXT] [--quick]

Each case of ``zoo.js`` runs in a VM of its own, over files in a directory of its own, until a limit
stops it. Printed are the processor time of the engine's thread and the wall time in seconds, the
gas, and the seconds that the whole limit would take. What the index takes for the changed files
comes after the call, on another thread; it is shown where it is more than a tenth of a second.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from nodevms.archive import ArchiveInfo, FeedContents, State
from nodevms.feed import Feed, KeyPair
from nodevms.sandbox import Engine, HostTimeoutError
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.environment import Outside
from nodevms.vm.execution import Executed, Execution
from nodevms.vm.limits import Limits
from nodevms.vm.live_oracles import LiveOracles, World

ZOO = Path(__file__).with_name("zoo.js")
TIME_MS = 1_700_000_000_000
PREPARATIONS_MAX = 2_000
QUICK = "empty loop|random order|prototype|one hash|one bucket|Proxies|sort with|files, "


class PreparationError(Exception):
    """A call that prepares did not return."""


@dataclass(slots=True)
class Took:
    """What a call took.

    Attributes:
        cpu: Seconds of the thread's processor time.
        wall: Seconds by the clock on the wall.
        index: Seconds of processor time to bring its changes to the disk.
        executed: What came of it.
    """

    cpu: float
    wall: float
    index: float
    executed: Executed

    @property
    def ended(self) -> str:
        """The code of the limit, or what else came of it."""
        error = self.executed.outcome.error
        if error is None:
            return "it ended by itself"
        return str(json.loads(error).get("code", error.decode()[:60]))


class Bench:
    """One case's VM and files."""

    def __init__(self, engine: Engine, folder: Path, limits: Limits) -> None:
        self.state = State.open(folder / "state.db")
        self.feed = Feed.create(folder / "content", "", KeyPair.generate())
        self.contents = FeedContents(self.feed)
        self.seq = 0
        self.outside = Outside(
            seeds=lambda: "0" * 16, oracles=lambda: LiveOracles(engine, limits, World())
        )
        self.execution = Execution(
            engine,
            limits,
            state=self.state,
            contents=self.contents,
            info=ArchiveInfo("dat://" + "00" * 32, "bench"),
            console=lambda _seq, _level, _text: None,
        )
        started = self.execution.start(
            ZOO.read_text(), None, seq=0, time_ms=TIME_MS, outside=self.outside
        )
        if started.outcome.error is not None:
            raise SystemExit(started.outcome.error.decode())

    def call(self, method: str, *arguments: object) -> Took:
        """Run one call, and bring what it changed to the disk outside the time that counts."""
        self.seq += 1
        cpu, wall = time.thread_time(), time.perf_counter()
        executed = self.execution.call(
            method,
            json.dumps(arguments).encode(),
            caller=None,
            seq=self.seq,
            time_ms=TIME_MS,
            outside=self.outside,
        )
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        index = time.thread_time()
        if self.contents.commit():
            self.feed.sync()
        self.state.flush(self.seq + 1)
        return Took(cpu, wall, time.thread_time() - index, executed)

    def value(self, method: str, *arguments: object) -> object:
        """Run a call that must return."""
        outcome = self.call(method, *arguments).executed.outcome
        if outcome.error is not None:
            raise PreparationError(f"{method}: {outcome.error.decode()}")
        return None if outcome.result is None else json.loads(outcome.result)

    def close(self) -> None:
        """Free everything."""
        self.execution.close()
        self.state.close()
        self.feed.close()


def measure(engine: Engine, name: str, limits: Limits) -> Took:
    """Prepare one case and run it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        bench = Bench(engine, folder, limits)
        try:
            if bench.value("prepares", name):
                for _ in range(PREPARATIONS_MAX):
                    if bench.value("prepare", name):
                        break
            return bench.call("run", name)
        finally:
            bench.close()


def undoing(engine: Engine, limits: Limits, mebibytes: int) -> None:
    """Show what undone calls cost with a heap of this size, alone and after calls that stayed."""
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(engine, Path(place), limits)
        for _ in range(mebibytes):
            bench.call("fill", 1)
        bench.call("never")
        for what, calls in (
            ("undone calls in a row", [("never",)]),
            ("undone calls, each after a small one", [("nothing",), ("never",)]),
            ("undone calls, each after one of 1e8 gas", [("spin", 250_000), ("never",)]),
            ("calls of 1e8 gas", [("spin", 250_000)]),
            ("calls out of gas", [("spin", 1e12)]),
        ):
            took = [sum(bench.call(*call).cpu for call in calls) for _ in range(10)]
            print(f"heap of {mebibytes} MiB: {what:42}{statistics.median(took) * 1e3:8.1f} ms each")
        bench.close()


def names(engine: Engine, limits: Limits) -> list[str]:
    """Return the cases of the zoo."""
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(engine, Path(place), limits)
        found = bench.value("names")
        bench.close()
    return [str(name) for name in found]  # type: ignore[attr-defined]


def main() -> None:
    """Run all cases, the slowest in all last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gas", type=int, default=Limits().gas, help="the limit on gas")
    parser.add_argument("--only", default="", help="a pattern of the cases that are wanted")
    parser.add_argument("--quick", action="store_true", help="the worst kinds alone")
    arguments = parser.parse_args()
    limits = replace_gas(Limits(), arguments.gas)
    pattern = re.compile(QUICK if arguments.quick else arguments.only)
    engine = Engine()
    slowest = ("", 0.0)
    print(f"{'case':44}{'CPU s':>8}{'wall s':>8}{'gas':>16}{'whole limit':>13}  ended by")
    for name in on_engine_thread(lambda: names(engine, limits)):
        if not pattern.search(name):
            continue
        try:
            took = on_engine_thread(lambda name=name: measure(engine, name, limits))  # type: ignore[misc]
        except (HostTimeoutError, PreparationError) as error:
            print(f"{name:44} could not be measured: {error}", flush=True)
            continue
        slowest = max(slowest, (name, took.cpu), key=lambda item: item[1])
        show(name, took, limits)
    if not arguments.only:
        for mebibytes in (0, 55):
            on_engine_thread(lambda size=mebibytes: undoing(engine, limits, size))  # type: ignore[misc]
    print(f"the slowest took {slowest[1]:.2f} s of processor time: {slowest[0]}")


def show(name: str, took: Took, limits: Limits) -> None:
    """Print one line."""
    gas = took.executed.outcome.gas
    whole = took.cpu * limits.gas / max(gas, 1)
    disk = f", index {took.index:.1f} s" if took.index > 0.1 else ""
    seconds = f"{took.cpu:8.2f}{took.wall:8.2f}"
    print(f"{name:44}{seconds}{gas:16,}{whole:11.2f} s  {took.ended}{disk}", flush=True)


def replace_gas(limits: Limits, gas: int) -> Limits:
    """Return the limits with another one on gas."""
    return msgspec.structs.replace(limits, gas=gas)


if __name__ == "__main__":
    main()
