"""Calls a second through the whole program, beside the original's figures.

    python bench/calls.py [--seconds 2] [--runs 3]

Each row is a server of its own, started from the command line, with one WebSocket connection and
so many calls in flight; answers come after fdatasync. Medians of several runs. The figures of the
original are those of docs/baseline.md, measured on another machine of the same kind without any
sync.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nodevms.audit.verifier import Verifier
from nodevms.rpc import RPCClient
from nodevms.sandbox import Engine

ROOT = Path(__file__).resolve().parent.parent
ORIGINAL = {
    ("counter", 1): 1775,
    ("counter", 32): 2863,
    ("counter", 256): 2858,
    ("persistent-counter", 1): 446,
    ("persistent-counter", 32): 510,
    ("persistent-counter", 256): 487,
}
ORIGINAL_REPLAY = {"counter": 1908, "persistent-counter": 649}
ORIGINAL_BYTES = {"counter": 249, "persistent-counter": 595}
ORIGINAL_START_S = 0.42


def main() -> None:
    """Print one row for each script and number of calls in flight."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        print(f"one sync of 400 bytes: {sync_ms(Path(place)):.2f} ms (median of 50)")
        for script in ("counter", "persistent-counter"):
            measure(script, Path(place), arguments.seconds, arguments.runs)


def measure(script: str, place: Path, seconds: float, runs: int) -> None:
    """Print the rows of one script."""
    directory = place / script
    for in_flight in (1, 32, 256):
        server, address, start_s = serve(script, directory)
        rates = [asyncio.run(load(address, in_flight, seconds)) for _ in range(runs)]
        memory = resident_mib(server.pid)
        server.terminate()
        server.wait()
        rate, old = statistics.median(rates), ORIGINAL[script, in_flight]
        print(
            f"{script}, {in_flight} in flight: {rate:,.0f} calls/s, original {old:,} "
            f"({rate / old:.1f} x); start {start_s:.2f} s, original {ORIGINAL_START_S}; "
            f"{memory:.0f} MiB resident"
        )
    begin = time.perf_counter()
    report = Verifier(Engine()).verify(directory)
    rate = report.calls / (time.perf_counter() - begin)
    size = disk_bytes(directory) / report.calls
    print(
        f"{script}: verify {report.calls:,} calls at {rate:,.0f}/s, original "
        f"{ORIGINAL_REPLAY[script]:,} ({rate / ORIGINAL_REPLAY[script]:.1f} x); "
        f"{size:.0f} bytes a call on disk, original {ORIGINAL_BYTES[script]}"
    )


def serve(script: str, directory: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start a server and wait until it says where it serves."""
    begin = time.perf_counter()
    path = ROOT / "examples" / f"{script}.js"
    command = ["exec", str(path), "-p", "0", "--dir", str(directory)]
    server = subprocess.Popen(
        [sys.executable, "-m", "nodevms.cli", *command], stdout=subprocess.PIPE, text=True
    )
    line = server.stdout.readline() if server.stdout else ""
    return server, line.removeprefix("Serving at ").strip(), time.perf_counter() - begin


async def load(address: str, in_flight: int, seconds: float) -> float:
    """Call for some seconds, always so many at a time, and return calls a second."""
    done = 0
    async with RPCClient() as client:
        await client.connect(address)
        end = time.perf_counter() + seconds

        async def worker() -> None:
            nonlocal done
            while time.perf_counter() < end:
                await client.call_json("increment")
                done += 1

        begin = time.perf_counter()
        await asyncio.gather(*[worker() for _ in range(in_flight)])
        return done / (time.perf_counter() - begin)


def sync_ms(place: Path) -> float:
    """Return what one append and fdatasync of 400 bytes takes."""
    times = []
    with (place / "sync").open("wb", buffering=0) as file:
        for _ in range(50):
            begin = time.perf_counter()
            file.write(bytes(400))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e3


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def disk_bytes(directory: Path) -> int:
    """Return the blocks that the log and the files take on disk, without the index."""
    parts = [path for path in directory.rglob("*") if path.is_file()]
    return sum(path.stat().st_blocks * 512 for path in parts if "state.db" not in path.name)


if __name__ == "__main__":
    main()
