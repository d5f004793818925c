"""A server of its own for each measurement, started from the command line as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def script_path(name: str) -> Path:
    """Return the path of an example, or of a script that only the bench has."""
    own = Path(__file__).with_name(f"{name}.js")
    return own if own.exists() else ROOT / "examples" / f"{name}.js"


class Server:
    """A running ``nodevms exec``; a context manager that stops it.

    Attributes:
        address: Where it serves.
        start_s: Seconds from the command to "Serving at".
    """

    def __init__(
        self, script: str, directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        own = {"NODEVMS_SWARM": "no", **os.environ, **(environment or {})}
        own.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its bytecode
        begin = time.perf_counter()
        command = ["exec", str(script_path(script)), "-p", "0", "--dir", str(directory)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nodevms.cli", *command],
            stdout=subprocess.PIPE,
            env=own,
            text=True,
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        self.start_s = time.perf_counter() - begin
        self.address = line.removeprefix("Serving at ").strip()

    def cpu_s(self) -> float:
        """Return the processor's seconds that it has used, in user and kernel mode."""
        text = Path(f"/proc/{self._process.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    def resident_mib(self) -> float:
        """Return its resident memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()


@dataclass(frozen=True, slots=True)
class Disk:
    """True sizes in bytes: what the files say, not the blocks that they take.

    Without the journal, which has one size while a server runs and none afterwards.
    """

    ledger: int
    index: int

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Measure a backend's directory."""
        files = [path for path in directory.rglob("*") if path.is_file()]
        sizes = {path: path.stat().st_size for path in files if path.name != "journal"}
        index = sum(size for path, size in sizes.items() if path.name == "state.db")
        return cls(sum(sizes.values()) - index, index)
