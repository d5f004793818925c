"""What the files' state costs: a call, a change in small and large folders, a proof, the disk.

    python bench/state.py [--files N]

Prints medians and ratios. Everything runs in one temporary directory.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from nodevms.archive import (
    ArchiveInfo,
    Change,
    FeedContents,
    FileApi,
    Overlay,
    State,
    TemporaryContents,
    verify_proof,
)
from nodevms.feed import Feed, KeyPair

INFO = ArchiveInfo("dat://" + "00" * 32, "bench")
SHA = bytes(range(32))
TIME_MS = 1_700_000_000_000


def no_charge(_gas: int) -> None:
    """Take gas and do nothing with it."""


def request(*parts: object, data: bytes | None = None) -> bytes:
    """Return a file request's bytes."""
    head = json.dumps(parts).encode()
    return head if data is None else head + b"\0" + data


def timed(work: Callable[..., object], *arguments: object) -> float:
    """Return how many microseconds a call takes."""
    start = time.perf_counter()
    work(*arguments)
    return (time.perf_counter() - start) * 1e6


def median_us(work: Callable[..., object], items: Iterable[object]) -> float:
    """Return the median microseconds of one call for each item."""
    return statistics.median([timed(work, item) for item in items])


def show(what: str, figure: float, unit: str) -> None:
    """Print one line."""
    print(f"{what:48}{figure:10.1f} {unit}")


class Backend:
    """State and contents on disk, with the calls' lengths counted."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.path = folder / "state.db"
        self.state = State.open(self.path)
        self.feed = Feed.create(folder / "content", "", KeyPair.generate())
        self.contents = FeedContents(self.feed)
        self.length = 0

    def call(self, *requests: bytes) -> None:
        """Run one call's file requests and commit its overlay."""
        overlay = Overlay(self.state, self.contents, TIME_MS + self.length)
        api = FileApi(overlay, INFO)
        for each in requests:
            api.handle(each, no_charge)
        self.length += 1
        overlay.commit(self.length)

    def flush(self) -> None:
        """Write the index."""
        self.state.flush(self.length)

    def settle(self) -> None:
        """Bring everything to the disk."""
        if self.contents.commit():
            self.feed.sync()
        self.flush()

    def fill(self, folder: str, count: int) -> None:
        """Put files into a new folder, a thousand a call."""
        for start in range(0, count, 1_000):
            names = sorted(f"{folder}/{n:07}" for n in range(start, min(count, start + 1_000)))
            changes = [Change(name, "file", 0, SHA) for name in names]
            if start == 0:
                changes.insert(0, Change(folder, "folder"))
            self.length += 1
            self.state.apply(self.length, changes, TIME_MS)
            self.flush()

    def disk_bytes(self) -> int:
        """Return the size of the index when it is closed."""
        self.state.close()
        size = sum(path.stat().st_size for path in self.path.parent.glob("state.db*"))
        self.state = State.open(self.path)
        return size


def small_call(folder: Path) -> None:
    """Show the cost of the persistent counter's file work."""
    backend = Backend(folder)
    read = request("readFile", "/counter")
    backend.call(request("writeFile", "/counter", data=b"0"))
    calls, flushes = [], []
    for batch in range(40):
        for n in range(256):
            write = request("writeFile", "/counter", data=str(batch * 256 + n).encode())
            calls.append(timed(backend.call, read, write))
        backend.contents.commit()
        backend.feed.sync()
        flushes.append(timed(backend.flush) / 256)
    show("read, write and commit of one small file", statistics.median(calls), "us a call")
    show("its index, on the committer's thread", statistics.median(flushes), "us a call")
    show("its index, on disk", backend.disk_bytes() / 10_240, "bytes a call")


def beside_sync(folder: Path) -> None:
    """Show what a call costs while another thread syncs contents and writes the index."""
    backend = Backend(folder)
    done = threading.Event()

    def sync() -> None:
        while not done.is_set():
            backend.settle()

    thread = threading.Thread(target=sync)
    thread.start()
    try:
        writes = [request("writeFile", f"/f{n % 500}", data=b"x") for n in range(10_000)]
        times = [timed(backend.call, write) for write in writes]
    finally:
        done.set()
        thread.join()
    show("write beside a thread that syncs, median", statistics.median(times), "us a call")
    show("write beside a thread that syncs, mean", statistics.mean(times), "us a call")


def folder_sizes(folder: Path, large: int) -> None:
    """Show what one change costs in a small and in a large folder, of as many files in all."""
    medians = []
    for count in (10, large):
        backend = Backend(folder / str(count))
        backend.fill("/here", count)
        for part in range(0 if count == large else large // 1_000):
            backend.fill(f"/elsewhere{part}", 1_000)
        calls, flushes = [], []
        for n in range(500):
            for each in (
                request("writeFile", f"/here/new{n}", data=b"x"),
                request("unlink", f"/here/new{n}"),
            ):
                us = timed(backend.call, each)
                calls.append(us)
            flushes.append(timed(backend.flush) / 2)
        medians.append((statistics.median(calls), statistics.median(flushes)))
        show(f"change in a folder of {count}: in the call", medians[-1][0], "us")
        show(f"change in a folder of {count}: in the index", medians[-1][1], "us")
    (small_call_us, small_us), (large_call_us, large_us) = medians
    show("ratio large to small: in the call", large_call_us / small_call_us, "")
    show("ratio large to small: in the index", large_us / small_us, "")


def many_files(folder: Path, count: int) -> None:
    """Show what a large state costs."""
    backend = Backend(folder)
    print(f"a state of {count} files:")
    show("  making it", timed(backend.fill, "/many", count) / count, "us a file")
    show("  disk", backend.disk_bytes() / count, "bytes a file")
    show("  opening it", timed(lambda: State.open(backend.path).close()), "us")
    state = backend.state
    paths = [f"/many/{n * 7919 % count:07}" for n in range(500)]
    show("  get, from disk", median_us(state.get, paths), "us")
    show("  get, cached", median_us(state.get, paths), "us")
    show("  proof, making it", median_us(state.prove, paths), "us")
    proofs = [(path, state.prove(path)) for path in paths]
    show("  proof, checking it", median_us(lambda p: verify_proof(state.root, *p), proofs), "us")
    sizes = sorted(len(proof.encode()) for _, proof in proofs)
    show("  proof, median", sizes[len(sizes) // 2], "bytes")
    show("  proof, largest of 500", sizes[-1], "bytes")
    writes = [request("writeFile", path, data=b"x") for path in paths]
    show("  overwriting one, in the call", median_us(backend.call, writes), "us")
    show("  overwriting 500, in the index", timed(backend.flush) / 500, "us a file")


def prices() -> None:
    """Show what the operations take, to be held against their prices in `file_gas`."""
    state, contents = State.open(None), TemporaryContents(1 << 30)
    overlay = Overlay(state, contents, TIME_MS)
    api = FileApi(overlay, INFO)
    size = 1 << 22
    for n in range(2_000):
        api.handle(request("writeFile", f"/d/{n:05}", data=b"x"), no_charge)
    api.handle(request("writeFile", "/large", data=bytes(size)), no_charge)
    overlay.commit(1)
    state.flush(1)
    api = FileApi(Overlay(state, contents, TIME_MS), INFO)
    for name, text, units, unit in [
        ("exists", request("exists", "/d"), 1, "ns a request"),
        ("refused request", b"[", 1, "ns a request"),
        ("readdir", request("readdir", "/d"), 2_000, "ns a name"),
        ("readdir with stat", request("readdir", "/d", {"stat": True}), 2_000, "ns a name"),
        ("history", request("history", {}), 1_000, "ns a name"),
        ("readFile of 4 MiB", request("readFile", "/large"), size, "ns a byte"),
        ("writeFile of 4 MiB", request("writeFile", "/large", data=bytes(size)), size, "ns a byte"),
    ]:
        show(name, median_us(lambda t: api.handle(t, no_charge), [text] * 50) * 1e3 / units, unit)
    contents.close()
    state.close()


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description="What the files' state costs.")
    parser.add_argument("--files", type=int, default=100_000, help="files in the large state")
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "sizes").mkdir()
        small_call(root / "small")
        beside_sync(root / "beside")
        folder_sizes(root / "sizes", files)
        many_files(root / "many", files)
        prices()


if __name__ == "__main__":
    main()
