"""What the figures depend on: processor, Python, and how fast the disk makes something last."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Print the machine's description."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    print(f"{os.cpu_count()} cores ({cpu}), Python {platform.python_version()}")
    load = os.getloadavg()[0]
    print(f"load before the bench {load:.1f}; with other programs running, only ratios count")
    with tempfile.TemporaryDirectory() as place:
        grown, in_place = sync_ms(Path(place) / "grown", 0), sync_ms(Path(place) / "kept", 1 << 20)
    print(
        f"fdatasync of 400 bytes: {grown:.2f} ms at the end of a file that grows, "
        f"{in_place:.2f} ms in a file that has the room (medians of 200)"
    )


def sync_ms(path: Path, room: int) -> float:
    """Return the milliseconds of writing and syncing 400 bytes."""
    times = []
    with path.open("wb", buffering=0) as file:
        file.write(bytes(room))
        os.fsync(file.fileno())
        file.seek(0)
        for _ in range(200):
            begin = time.perf_counter()
            file.write(bytes(400))
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e3


if __name__ == "__main__":
    main()
