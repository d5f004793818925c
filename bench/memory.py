"""Resident memory of a server after more and more calls, and with more and more files.

    python bench/memory.py [--quick]

`files` writes a new file with each call, so its state, its index and its drive grow; its memory
may grow up to the bounds of the caches.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import original
from load import our_client
from servers import Server

STEPS = (1_000, 10_000, 50_000, 100_000)


def main(*, quick: bool) -> None:
    """Print one line a script."""
    steps = STEPS[:2] if quick else STEPS
    low, high = original.RESIDENT_MIB
    with tempfile.TemporaryDirectory() as place:
        for script in ("counter", "files"):
            shown = []
            with Server(script, Path(place) / script) as server:
                shown.append(f"{server.resident_mib():.0f} MiB at the start")
                done = 0
                for step in steps:
                    our_client(server, 256, calls_max=step - done)
                    done = step
                    shown.append(f"{server.resident_mib():.0f} after {step:,}")
            print(f"{script}: {', '.join(shown)} calls; original {low} to {high} after 10,000")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    main(quick=parser.parse_args().quick)
