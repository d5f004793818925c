"""What the engine costs: calls, new VMs, the machine code, undoing, snapshots.

    python bench/engine.py [--runs N]

Prints the median of several runs and its spread, beside the goals of the issue and what the
prototype measured. Nothing is kept: the cache of machine code is in a temporary directory.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import wasmtime

from nodevms.sandbox import Engine, Guest, Limits, Operation, Sandbox
from nodevms.sandbox.instance import Instance
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.limits import Limits as OracleLimits
from nodevms.vm.live_oracles import LiveOracles, World
from nodevms.vm.oracles import Asked

TIME_MS = 1_700_000_000_000
SCRIPT = """
let n = 0
exports.sync = x => ++n
exports.later = async x => ++n
exports.host = () => System.files.exists('/')
exports.seed = () => Math.random() < 1
exports.write = x => System.files.writeFile('/counter', x)
exports.echo = x => x.length
exports.oracle = () => System.oracle(() => Math.random())
exports.grow = () => { kept.push(new Uint8Array(32 << 20).fill(1)) }
const kept = []
exports.loop = () => { for (;;); }
exports.never = () => new Promise(() => {})
exports.fib = function fib (n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
exports.sort = n => {
  let s = 1
  const a = []
  for (let i = 0; i < n; i++) a.push(s = Math.imul(s, 48271))
  return a.sort((x, y) => x - y).length
}
"""


class Host:
    """Answers at once, so that the way there and back is what is measured.

    Attributes:
        oracles: Answers oracles; None to answer as a replay does.
    """

    oracles: LiveOracles | None = None

    def call(self, operation: int, _request: bytes, guest: Guest) -> bytes:
        """Answer one request."""
        if operation == Operation.ORACLE:
            if self.oracles is not None:
                self.oracles(Asked("0" * 64, guest, self, 1_000))
            return b'{"res":0.5}'
        if operation == Operation.FILES:
            return b'{"value":true}'
        return b"0123456789abcdef" if operation == Operation.SEED else b""


HOST = Host()


def show(what: str, seconds: list[float], unit: str, note: str = "", count: int = 1) -> None:
    """Print the median and the spread of several runs of ``count`` each."""
    factor = {"us": 1e6, "ms": 1e3}[unit] / count
    low, middle, high = (f(seconds) * factor for f in (min, statistics.median, max))
    print(f"{what:46}{middle:9.2f} {unit}  ({low:.2f} to {high:.2f})  {note}")


def timed(work: Callable[[], object], runs: int) -> list[float]:
    """Return how many seconds each of some runs takes, after one that is not counted."""
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return seconds


def started(engine: Engine, limits: Limits | None = None) -> Sandbox:
    """Return a sandbox with the script."""
    sandbox = Sandbox(engine, limits or Limits())
    sandbox.start(SCRIPT, None, time_ms=TIME_MS, host=HOST)
    return sandbox


def call(sandbox: Sandbox, method: str, arguments: bytes = b"[]") -> None:
    """Run one call."""
    sandbox.call(method, arguments, caller="bob", time_ms=TIME_MS, host=HOST)


def calls(engine: Engine, runs: int) -> None:
    """Show what calls cost, the way to the guest and back included."""
    sandbox = started(engine)
    for method, arguments, note in [
        ("sync", b"[1]", "goal 30; prototype 16"),
        ("later", b"[1]", "goal 30; prototype 18"),
        ("host", b"[]", "prototype 18"),
        ("seed", b"[]", ""),
        ("write", b"[7]", ""),
    ]:

        def many(method: str = method, arguments: bytes = arguments) -> None:
            for _ in range(2_000):
                call(sandbox, method, arguments)

        show(f"call of {method}", timed(many, runs), "us", note, 2_000)
    text = b'["' + b"x" * 1_000_000 + b'"]'
    show("call with 1 MB of arguments", timed(lambda: call(sandbox, "echo", text), runs), "ms")
    fib = timed(lambda: call(sandbox, "fib", b"[27]"), runs)
    show("fib(27)", fib, "ms", "prototype 47; Node 1.8")
    sort = timed(lambda: call(sandbox, "sort", b"[100000]"), runs)
    show("sort of 100,000 numbers", sort, "ms", "prototype 99; Node 24")


def oracles(engine: Engine, runs: int) -> None:
    """Show what a call with one oracle costs, live and in a replay."""
    for heap, grown in (("small heap", 0), ("heap of 32 MiB", 1)):
        for how, live in (("live", True), ("replayed", False)):
            sandbox = started(engine)
            for _ in range(grown):
                call(sandbox, "grow")
            HOST.oracles = LiveOracles(engine, OracleLimits(), World()) if live else None
            seconds = timed(lambda sandbox=sandbox: ask(engine, sandbox), runs * 10)
            show(f"call with one oracle, {heap}, {how}", seconds, "ms")


def ask(engine: Engine, sandbox: Sandbox) -> None:
    """Run a call that asks one oracle."""
    if HOST.oracles is not None:
        HOST.oracles = LiveOracles(engine, OracleLimits(), World())
    call(sandbox, "oracle")


def machines(engine: Engine, runs: int) -> None:
    """Show what VMs cost."""
    new = timed(lambda: Instance(engine, Limits()), runs * 20)
    show("new VM from the baked image", new, "ms", "goal 1; prototype 0.2")
    show("new VM with a script loaded", timed(lambda: started(engine).close(), runs * 20), "ms")


def undoing(engine: Engine, runs: int) -> None:
    """Show what undoing costs at its cheapest and at its dearest, and what a snapshot does."""
    sandbox = started(engine)
    call(sandbox, "sync")
    nothing = timed(lambda: call(sandbox, "never"), runs)
    show("call that is undone, with none since the last", nothing, "ms")
    seconds = []
    for _ in range(runs):
        for _ in range(500):
            call(sandbox, "sync")
        start = time.perf_counter()
        call(sandbox, "never")
        seconds.append(time.perf_counter() - start)
    show("call that is undone, 500 calls after it", seconds, "ms")
    limited = started(engine, Limits(gas=10_000_000_000))
    start = time.perf_counter()
    call(limited, "loop")
    show("endless loop until 1e10 gas are used", [time.perf_counter() - start], "ms")
    instance = sandbox._require()
    show("snapshot, copied", timed(instance.image, runs * 10), "ms", "prototype 0.06")
    image = instance.image()
    packed = len(zlib.compress(image.memory, 1))
    size = f"{len(image.memory) / 1e6:9.2f} MB, {packed / 1e3:.0f} KB deflated"
    print(f"{'snapshot, size':46}{size}  prototype 2.5 MB, 114 KB")
    restored = timed(lambda: Instance(engine, Limits(), image), runs * 10)
    show("new VM from a snapshot", restored, "ms")


def module(runs: int) -> None:
    """Show what compiling costs, and reading what was compiled."""
    code = resources.files("nodevms.sandbox").joinpath("guest.wasm").read_bytes()
    with tempfile.TemporaryDirectory() as name:
        engine = Engine(Path(name) / "engine")
        wasm = engine.wasmtime
        compiling = timed(lambda: wasmtime.Module(wasm, code), 2)
        show("compiling the module", compiling, "ms", "prototype 900 to 2,000")
        loading = timed(lambda: Engine(Path(name) / "engine"), runs)
        show("engine from the cache: read, hash, load", loading, "ms")
        (file,) = (Path(name) / "engine").iterdir()
        compiled = file.read_bytes()[32:]
        alone = timed(lambda: wasmtime.Module.deserialize(wasm, compiled), runs)
        show("loading the machine code alone", alone, "ms", "prototype 0.5")
        print(f"{'machine code, size':46}{len(compiled) / 1e6:9.2f} MB")
        print(f"{'guest module, size':46}{len(code) / 1e6:9.2f} MB")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description="What the engine costs.")
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    engine = Engine()

    def measure() -> None:
        calls(engine, runs)
        oracles(engine, runs)
        machines(engine, runs)
        undoing(engine, runs)

    on_engine_thread(measure)
    module(runs)


if __name__ == "__main__":
    main()
