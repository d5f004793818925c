"""What a publication costs in small and large folders, on disk, with a bounded cache.

    python bench/drive.py [--rounds N]

Prints medians, bytes and ratios. Everything runs in one temporary directory.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

from nodevms.archive.drive_check import DriveChecker, publications
from nodevms.archive.drive_writer import create_drive
from nodevms.archive.publication import CHANGES_MAX, Published
from nodevms.archive.publisher import Publisher
from nodevms.archive.record import ZERO_HASH, Record
from nodevms.feed import Feed, KeyPair

FOLDERS = (10, 1_000, 100_000)
CHANGED = (1, 100)


def file_change(index: int, time_ms: int) -> Published:
    """Return a change of one file that has the content feed's one block."""
    record = Record("file", 1, ZERO_HASH, time_ms, 0, 1)
    return Published(f"/files/{index:06}", "file", record)


def memory_mib() -> float:
    """Return the most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Drive:
    """A drive on disk with one folder of so many names."""

    def __init__(self, directory: Path, names: int) -> None:
        pair = KeyPair.from_seed(bytes(32))
        self.names = names
        self.metadata = Feed.create(directory / "metadata", "", pair)
        self.content = Feed.create(directory / "content", "", pair.content_key_pair())
        self.content.append([b"x"])
        self.content.sync()
        create_drive(self.metadata, self.content.key)
        self.publisher = Publisher(self.metadata, self.content)
        self.marker = 0
        self.groups: list[list[Published]] = []
        for start in range(0, names, CHANGES_MAX):
            self.publish(range(start, min(start + CHANGES_MAX, names)))

    def publish(self, indexes: range) -> tuple[float, int]:
        """Publish changes of these files; return the seconds and the bytes that it took."""
        self.marker += 1
        changes = [file_change(index, self.marker) for index in indexes]
        self.groups.append(changes)
        before, start = self.metadata.byte_length, time.perf_counter()
        self.publisher.publish(changes, self.marker)
        return time.perf_counter() - start, self.metadata.byte_length - before

    def reopened(self) -> float:
        """Return the seconds of the first publication after a restart."""
        self.publisher = Publisher(self.metadata, self.content)
        return self.publish(range(1))[0]

    def checked(self) -> float:
        """Return the seconds of checking every publication."""
        checker = DriveChecker(self.metadata, self.content, self.content.key)
        start = time.perf_counter()
        for publication, changes in zip(publications(self.metadata), self.groups, strict=True):
            checker.check(publication, changes)
        return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{'names':>8} {'changed':>8} {'ms':>9} {'ratio':>7} {'bytes':>9} {'ms a change':>12}")
    first: dict[int, float] = {}
    for names in FOLDERS:
        with tempfile.TemporaryDirectory() as directory:
            drive = Drive(Path(directory), names)
            for changed in CHANGED:
                wide = min(changed, names)
                runs = [drive.publish(range(wide)) for _ in range(rounds)]
                seconds = statistics.median(run[0] for run in runs)
                first.setdefault(changed, seconds)
                ratio = seconds / first[changed]
                size = statistics.median(run[1] for run in runs)
                print(
                    f"{names:>8} {wide:>8} {seconds * 1e3:>9.2f} {ratio:>7.1f} {size:>9.0f}"
                    f" {seconds * 1e3 / wide:>12.3f}"
                )
            print(
                f"{names:>8} first after a restart {drive.reopened() * 1e3:.1f} ms, all"
                f" {drive.marker} publications checked in {drive.checked() * 1e3:.0f} ms,"
                f" {drive.metadata.byte_length / drive.metadata.length:.0f} bytes a node,"
                f" {memory_mib():.0f} MiB"
            )


if __name__ == "__main__":
    main()
