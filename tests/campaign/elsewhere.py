"""Other environments: each Python on this machine with each release of wasmtime, in a venv.

They are made once, by uv, from the locked versions of everything else, and kept in `.build`. The
project itself is installed as a wheel, so that a long run is not disturbed by someone who edits.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".build" / "campaign"
"""Of the tests; a long run has a place of its own, so that tests beside it change nothing there."""
REPLAYER = Path(__file__).with_name("replayer.py")
OLDEST = "45.0.0"
"""The first release of wasmtime whose Python package has what the sandbox uses."""
BETWEEN = "48.0.0"
ANSWER_SECONDS_MAX = 300
PYTHON_MINORS = range(11, 30)


class CampaignError(Exception):
    """An environment cannot be made; nothing was compared."""


@dataclass(frozen=True)
class Environment:
    """A Python that has the project and one release of wasmtime."""

    name: str
    python: Path


def pythons() -> dict[str, str]:
    """Return the Pythons of this machine that the project runs on, one of each minor version."""
    found: dict[str, str] = {}
    for minor in PYTHON_MINORS:
        name = f"python3.{minor}"
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        pyenv = sorted((root / "versions").glob(f"*/bin/{name}"), reverse=True)
        for candidate in [shutil.which(name), *map(str, pyenv)]:
            if candidate and _version_of(candidate).startswith(f"3.{minor}."):
                found[f"3.{minor}"] = candidate
                break
    return found


def newest_wasmtime() -> str:
    """Return the newest release on PyPI.

    Raises:
        CampaignError: PyPI cannot be asked.
    """
    asked = _uv(
        "pip", "compile", "--upgrade", "--no-annotate", "-", given="wasmtime\n", inside=False
    )
    match = re.search(r"^wasmtime==(\S+)", asked, re.MULTILINE)
    if match is None:
        raise CampaignError(f"uv resolved no wasmtime:\n{asked}")
    return match[1]


def wheel(place: Path = PLACE) -> Path:
    """Build the project as it is now."""
    place = place / "dist"
    shutil.rmtree(place, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (built,) = place.glob("*.whl")
    return built


def environment(python: str, wasmtime: str, built: Path, place: Path = PLACE) -> Environment:
    """Make a venv, or bring the project in it up to date.

    Args:
        python: The interpreter's path.
        wasmtime: The release.
        built: The project's wheel.
        place: Where venvs are kept.

    Raises:
        CampaignError: PyPI is needed and cannot be reached.
    """
    name = f"python{_version_of(python)}-wasmtime{wasmtime}"
    place = place / name
    inside = place / "bin" / "python"
    wanted = hashlib.sha256((ROOT / "requirements.lock").read_bytes()).hexdigest()
    stamp = place / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        _uv("venv", "--quiet", "--clear", "--python", python, str(place))
        _uv("pip", "install", "--quiet", "--python", str(inside), str(built))
        # Not with the rest: the project's own constraint names one release.
        only = ("--no-deps", "--python", str(inside), f"wasmtime=={wasmtime}")
        _uv("pip", "install", "--quiet", *only, inside=False)
        stamp.write_text(wanted)
    again = ("--no-deps", "--offline", "--reinstall-package", "nodevms")
    _uv("pip", "install", "--quiet", *again, "--python", str(inside), str(built))
    return Environment(name, inside)


def here() -> Environment:
    """Return the environment that this runs in."""
    return Environment("this Python, another process", Path(sys.executable))


class OtherProcess:
    """A process that verifies directories.

    Attributes:
        about: Versions of its Python and wasmtime, and its engine.
    """

    def __init__(self, where: Environment) -> None:
        settings = {"TZ": "Asia/Kolkata", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "7"}
        self.name = where.name
        self._process = subprocess.Popen(
            [str(where.python), "-W", "error", str(REPLAYER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            cwd=tempfile.gettempdir(),
            env={**os.environ, **settings},
        )
        self._rest = b""
        self.about: dict[str, Any] = self._answer()

    def replay(self, directory: Path, mode: str) -> dict[str, Any]:
        """Verify a directory there; a process that ended or hangs is an answer too."""
        assert self._process.stdin is not None
        request = json.dumps({"directory": str(directory), "mode": mode})
        with suppress(BrokenPipeError):  # the answer says that it ended
            self._process.stdin.write(request.encode() + b"\n")
            self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        deadline = time.monotonic() + ANSWER_SECONDS_MAX
        while b"\n" not in self._rest:
            with selectors.DefaultSelector() as selector:
                selector.register(self._process.stdout, selectors.EVENT_READ)
                ready = selector.select(max(0, deadline - time.monotonic()))
            if not ready:
                return {"error": "no answer", "message": f"{ANSWER_SECONDS_MAX} seconds passed"}
            part = os.read(self._process.stdout.fileno(), 65536)
            if not part:
                code = self._process.wait()
                return {"error": "process ended", "message": f"exit status {code}"}
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


def _version_of(python: str) -> str:
    """Return the version of an interpreter; nothing if it does not run."""
    command = [python, "-c", "import platform; print(platform.python_version())"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _uv(*arguments: str, given: str | None = None, inside: bool = True) -> str:
    """Run uv, in the project with its constraints, or outside of it."""
    uv = subprocess.run([str(ROOT / "tools" / "uv")], capture_output=True, text=True, check=True)
    done = subprocess.run(
        [uv.stdout.strip(), *arguments],
        cwd=ROOT if inside else tempfile.gettempdir(),
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode:
        raise CampaignError(
            f"uv {' '.join(arguments)} failed (the first time it needs PyPI):\n{done.stderr[-2000:]}"
        )
    return done.stdout
