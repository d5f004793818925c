"""Feeds and drives over TCP on loopback: Node to Node, ours to Node, Node to ours, ours to ours.

    python bench/replicate.py [--quick] [--rounds N] [--large MIB]

A log of 10,000 entries of 300 bytes (JSON) and a drive of 64 MiB in blocks of 64 KiB, with npm's
hypercore 6 and hyperdrive 9 on the other side. Servers are started once, a client for each run with
an empty folder; the four pairs take turns in random order. A time is from the connection until all
is stored; ours includes that it is synced, which Node never does. Node gets the fastest hash that
its packages have on it, as its users had with the native one. Prints medians, ratios to Node to
Node, and the most memory that each process of ours held, also with a drive of 256 MiB.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "peers"))

from network import Network  # noqa: E402
from program import Program  # noqa: E402

REPLICA = str(Path(__file__).with_name("replica.py"))
FAST = "fast_hash.js"
ENTRIES, ENTRY_BYTES = 10_000, 300
BLOCK_BYTES = 65_536
FILES = 8
SIDES = ("Node", "ours")
PAIRS = [(server, client) for server in SIDES for client in SIDES]
PATIENCE_S = 600.0


@dataclass
class Feeds:
    """What is replicated.

    Attributes:
        what: For the table.
        kind: ``hypercore`` or ``hyperdrive``: which programs for Node.
        place: The folder with a copy of the files for each server.
        folders: Of each feed, below that of the server.
        amount: In the unit.
        unit: What is counted.
    """

    what: str
    kind: str
    place: Path
    folders: tuple[str, ...]
    amount: float
    unit: str
    servers: dict[str, Program] = field(default_factory=dict)
    ready: dict[str, Any] = field(default_factory=dict)


def make_log(network: Network, place: Path) -> Feeds:
    """Let hypercore make the log."""
    options = f'{{"count": {ENTRIES}, "size": {ENTRY_BYTES}, "json": true}}'
    maker = network.node(FAST, "hypercore_serve.js", str(place / "Node"), "0", options)
    maker.wait_event("ready", PATIENCE_S)
    maker.stop()
    shutil.copytree(place / "Node", place / "ours")
    what = f"{ENTRIES:,} entries of {ENTRY_BYTES} bytes"
    return Feeds(what, "hypercore", place, ("",), ENTRIES, "blocks")


def make_drive(network: Network, place: Path, mib: int) -> Feeds:
    """Let hyperdrive make the drive."""
    source = place / "source"
    source.mkdir(parents=True)
    for number in range(FILES):
        data = random.Random(number).randbytes(mib * 2**20 // FILES)
        (source / f"{number}.bin").write_bytes(data)
    maker = network.node(FAST, "hyperdrive_serve.js", str(place / "Node"), str(source), "0")
    maker.wait_event("ready", PATIENCE_S)
    maker.stop()
    shutil.rmtree(source)
    shutil.copytree(place / "Node", place / "ours")
    what = f"{mib} MiB drive, {FILES} files"
    return Feeds(what, "hyperdrive", place, ("metadata", "content"), mib, "MiB")


def start_servers(network: Network, feeds: Feeds) -> None:
    """Start one server of each side."""
    drive = feeds.kind == "hyperdrive"
    theirs = [f"{feeds.kind}_serve.js", str(feeds.place / "Node"), *(["-"] if drive else []), "0"]
    feeds.servers["Node"] = network.node(FAST, *theirs)
    ours = [REPLICA, "serve", *(str(feeds.place / "ours" / name) for name in feeds.folders)]
    feeds.servers["ours"] = network.python(*ours, name="replica-serve")
    for side, server in feeds.servers.items():
        feeds.ready[side] = server.wait_event("ready", PATIENCE_S)


def run(network: Network, feeds: Feeds, server: str, client: str) -> tuple[float, float]:
    """Download once; return the seconds, and the most memory of the client in MiB."""
    address = f"127.0.0.1:{feeds.ready[server]['port']}"
    keys = feeds.ready["ours"]["keys"]
    target = Path(tempfile.mkdtemp(dir=feeds.place)) / "copy"
    if client == "ours":
        program = network.python(
            REPLICA, "fetch", address, str(target), *keys, name="replica-fetch"
        )
    elif feeds.kind == "hypercore":
        options = '{"live": true, "hash": false}'
        program = network.node(FAST, "hypercore_fetch.js", keys[0], str(target), address, options)
    else:
        options = '{"live": true, "latest": false}'
        program = network.node(
            FAST, "hyperdrive_fetch.js", keys[0], str(target), "-", address, options
        )
    seconds = program.wait_event("synced", PATIENCE_S)["ms"] / 1000
    held = peak_mib(program)
    program.stop()
    shutil.rmtree(target.parent)
    return seconds, held


def peak_mib(program: Program) -> float:
    """Return the most memory that a program has held."""
    status = Path(f"/proc/{program.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure(network: Network, feeds: Feeds, rounds: int) -> None:
    """Print a table of the four pairs."""
    start_servers(network, feeds)
    print(f"{feeds.what}, medians of {rounds}:", flush=True)
    runs: dict[tuple[str, str], list[tuple[float, float]]] = {pair: [] for pair in PAIRS}
    for _ in range(rounds):
        for pair in random.sample(PAIRS, len(PAIRS)):
            runs[pair].append(run(network, feeds, *pair))
    theirs = [seconds for seconds, _ in runs["Node", "Node"]]
    for (server, client), times in runs.items():
        seconds = statistics.median(seconds for seconds, _ in times)
        pairs = zip(times, theirs, strict=True)
        ratio = statistics.median(other / own for (own, _), other in pairs)
        held = max(held for _, held in times)
        rate = feeds.amount / seconds
        print(
            f"  {server:>4} to {client:<4} {seconds:>7.2f} s {rate:>9,.0f} {feeds.unit}/s "
            f"{ratio:>6.2f} x Node to Node; client held {held:.0f} MiB at most",
            flush=True,
        )
    print(f"  our server held {peak_mib(feeds.servers['ours']):.0f} MiB at most", flush=True)
    for server in feeds.servers.values():
        server.stop()


def memory(network: Network, place: Path, sizes: tuple[int, ...]) -> None:
    """Print how our memory grows with the drive."""
    for mib in sizes:
        feeds = make_drive(network, place / str(mib), mib)
        start_servers(network, feeds)
        _, client = run(network, feeds, "Node", "ours")
        run(network, feeds, "ours", "Node")
        server = peak_mib(feeds.servers["ours"])
        print(f"{mib:>4} MiB drive: our client held {client:.0f} MiB, our server {server:.0f}")
        for program in feeds.servers.values():
            program.stop()
        shutil.rmtree(feeds.place)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="one round, and no large drive")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, default=256, help="MiB of the large drive")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    with tempfile.TemporaryDirectory() as name, Network(Path(name) / "programs") as network:
        place = Path(name)
        measure(network, make_log(network, place / "log"), rounds)
        measure(network, make_drive(network, place / "drive", 64), rounds)
        if not arguments.quick:
            memory(network, place / "memory", (64, arguments.large))


if __name__ == "__main__":
    main()
