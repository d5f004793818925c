"""`dat` 13 and `dat` 14 clone what `nodevms exec` serves, and find it by discovery alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hyperdrive_programs import HERE, node
from test_find_each_other import namespace

# Loopback and nothing else: multicast reaches every program in this namespace, and no other.
ALONE = """
ip link set lo up
ip link set lo multicast on
ip route add 224.0.0.0/4 dev lo
ip route add default dev lo
exec "$@"
"""
CLONES = HERE / "exec_and_clone.py"


def test_both_clone_a_served_backend_and_what_changed_since(tmp_path: Path) -> None:
    done = subprocess.run(
        [*namespace(), "sh", "-ec", ALONE, "sh", sys.executable, str(CLONES), node(), "13", "14"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    served = {"hello.txt": "world", "deep/er/ü.txt": "x" * 200_000, "gone.txt": "soon"}
    changed = {**served, "hello.txt": "moon", "new.txt": "new"}
    del changed["gone.txt"]
    assert found == {version: [served, changed] for version in ("13", "14")}


@pytest.fixture(autouse=True)
def quick_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
