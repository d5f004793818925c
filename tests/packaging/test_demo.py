"""``make demo`` shows what it promises, by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DEMO = Path(__file__).parents[2] / "tools" / "demo.py"


def test_the_demonstration_serves_verifies_and_catches_both_lies(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DEMO)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    places = [
        done.stdout.index(text)
        for text in (
            "increment() → 3",
            "increment() → 4",
            "✔Call log verified.",
            "the call log, entry 2: Block 2 in tampered/call-log.data does not have the hash",
            "entry 2 (increment()): result differs: expected 2, found 9",
            "Caught both times",
        )
    ]
    assert places == sorted(places)
    assert "\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []
