"""The whole bench: figures and ratios, the original's beside each.

python bench [--quick] [PART ...]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import calls
import machine
import memory
import reads
import replay
import start

PROGRAMS = {
    "calls": calls.main,
    "reads": reads.main,
    "start": start.main,
    "replay": replay.main,
    "memory": memory.main,
}
SEPARATE = {
    "state": ["--files", "20000"],
    "drive": ["--rounds", "5"],
    "engine": [],
    "limits": ["--quick"],
    "replicate": ["--quick"],
}
"""Programs of their own, with what makes them quick."""


def main() -> None:
    """Run the parts one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything, in a minute")
    parser.add_argument("parts", nargs="*", help=", ".join([*PROGRAMS, *SEPARATE]))
    arguments = parser.parse_args()
    begin = time.perf_counter()
    machine.main()
    for part in arguments.parts or [*PROGRAMS, *SEPARATE]:
        print(f"\n# {part}", flush=True)
        if part in PROGRAMS:
            PROGRAMS[part](quick=arguments.quick)
        elif (program := Path(__file__).with_name(f"{part}.py")).exists():
            options = SEPARATE[part] if arguments.quick else []
            subprocess.run([sys.executable, str(program), *options], check=True)
    print(f"\nAll of it took {time.perf_counter() - begin:.0f} s.")


if __name__ == "__main__":
    main()
