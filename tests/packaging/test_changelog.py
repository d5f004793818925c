"""What changelog.d holds becomes a section of CHANGELOG.md when a release is made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_fragment_is_in_the_next_section() -> None:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.suffix == ".md"]
    assert "## 9.9.9" in done.stdout
    for fragment in fragments:
        first, _, _ = fragment.read_text().strip().partition("\n")
        assert first in done.stdout, fragment.name
