"""The command line as tests use it: ``nodevms exec`` as a process, and the npm client for it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from click.testing import CliRunner, Result

from nodevms.cli import main

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "tests" / "peers"
NODE = shutil.which("node", path=str(Path(sys.executable).parent)) or "node"
PATIENCE_S = 60


@dataclass
class Server:
    """A running ``nodevms exec``.

    Attributes:
        address: As it printed it.
        lines: What it printed on standard output when it began to serve.
        process: The process.
        output: Its standard error, kept in a file so that it never waits for a reader.
    """

    address: str
    lines: list[str]
    process: subprocess.Popen[str]
    output: IO[str] = field(repr=False)

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def directory(self) -> Path:
        return Path(self.lines[1].removeprefix("Serving directory "))

    def log(self) -> str:
        """What it has written on standard error so far."""
        self.output.seek(0)
        return self.output.read()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()  # a test that fails leaves nothing running
            return self.process.wait(timeout=PATIENCE_S)


def nodevms_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nodevms.cli", *arguments]


def nodevms(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        nodevms_command(*arguments),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        **options,
    )


def in_process(*arguments: str) -> Result:
    """Run a command in this process, where another one would only cost time."""
    return CliRunner().invoke(main, list(arguments))


def start(*arguments: str, port: str = "0", **options: Any) -> Server:
    """Serve a script; returns when it serves, and raises with its errors when it does not."""
    command = nodevms_command("exec", *arguments, "-p", port)
    output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - the server owns it
    options.setdefault("stderr", output)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    assert process.stdout is not None
    lines: list[str] = []
    with process.stdout as printed:
        for line in printed:
            lines.append(line.rstrip("\n"))
            if line.startswith("Call log:"):
                break
    address = lines[0].removeprefix("Serving at ") if lines else ""
    server = Server(address, lines, process, output)
    if len(lines) < 5:
        process.wait(timeout=PATIENCE_S)
        log = server.log()
        output.close()
        raise AssertionError(log)
    return server


@contextmanager
def serving(*arguments: str, exit_code: int | None = 0, **options: Any) -> Iterator[Server]:
    """Serve a script, and check at the end how the server stops."""
    server = start(*arguments, **options)
    try:
        yield server
    except BaseException:
        print(server.log(), file=sys.stderr)
        raise
    finally:
        code = server.stop()
        log = server.log()
        server.output.close()
        assert exit_code is None or code == exit_code, log


def ends_with_npm_client(
    url: str, calls: Sequence[tuple[str, Sequence[object]]], user: str = ""
) -> list[Any]:
    """Make calls one after the other with the client of 2017.

    Returns:
        How each ended: ``{"value": …}``, ``{"undefined": True}`` or ``{"error": …}``.
    """
    # The WebSocket library that stands in for the one of 2017 wants the scheme spelled out.
    done = subprocess.run(
        [NODE, "npm_calls.js"],
        input=json.dumps([f"ws://{url}", user, calls]),
        cwd=PEERS,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ends: list[Any] = json.loads(done.stdout)
    return ends


def call_with_npm_client(
    url: str, *calls: tuple[str, Sequence[object]], user: str = ""
) -> list[Any]:
    """Make calls, and return their values, ``"undefined"``, and of errors what people read."""
    return [_in_short(end) for end in ends_with_npm_client(url, calls, user)]


def _in_short(end: Any) -> Any:
    if "undefined" in end:
        return "undefined"
    error = end.get("error")
    if isinstance(error, dict):
        return {"error": error.get("data") or error.get("message")}
    return end


def example(name: str) -> str:
    return str(ROOT / "examples" / name)
