"""Runs the two small programs that use npm's hyperdrive, and hands over what they print."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def node() -> str:
    beside = Path(sys.executable).parent / "node"
    found = str(beside) if beside.exists() else shutil.which("node")
    assert found is not None, "node is not installed"
    return found


def run(program: str, *arguments: str, text: str = "") -> Any:
    done = subprocess.run(
        [node(), "--no-deprecation", str(HERE / program), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=HERE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def read_drive(directory: Path, versions: list[int]) -> Any:
    """Return all that hyperdrive finds at some versions, with the history and diffs."""
    return run("hyperdrive_read.js", str(directory), json.dumps(versions))


def write_drive(directory: Path, operations: list[tuple[str, str, bytes]]) -> Any:
    """Let hyperdrive make changes one at a time; return its keys and version."""
    coded = [(name, path, base64.b64encode(data).decode()) for name, path, data in operations]
    return run("hyperdrive_write.js", str(directory), text=json.dumps(coded))


def clone_drive(source: Path, clone: Path) -> Any:
    """Let hyperdrive bring a clone of the latest version up to date; return what it then has."""
    return run("hyperdrive_clone.js", str(source), str(clone))


def files_of(found: Any, which: str = "files") -> dict[str, bytes]:
    return {path: base64.b64decode(data) for path, data in found[which].items()}
