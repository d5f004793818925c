"""A program that runs beside a test: what it prints is kept in files, and it ends with the test."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PATIENCE_S = 30.0
POLL_S = 0.02
SHOWN_CHARS = 4000
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Program:
    """A running program, the head of a process group of its own.

    Output goes to files, so that no program ever waits for a reader.

    Args:
        name: For messages and for the names of the output files.
        command: Program and arguments.
        place: Folder for the output files.
        cwd: Folder to run in.
        env: The whole environment.
    """

    def __init__(
        self, name: str, command: Sequence[str], place: Path, cwd: Path, env: dict[str, str]
    ) -> None:
        self.name = name
        self.command = list(command)
        self.home = place / "home"
        self._out = place / "stdout"
        self._err = place / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The program's own pid."""
        return self.process.pid

    def output(self) -> str:
        """Return what it printed so far, without the codes that move a terminal's cursor."""
        return CONTROL.sub("", self._out.read_text(errors="replace"))

    def errors(self) -> str:
        """Return what it wrote on standard error so far."""
        return CONTROL.sub("", self._err.read_text(errors="replace"))

    def running(self) -> bool:
        """Return whether it has not ended."""
        return self.process.poll() is None

    def wait_until(self, what: str, look: Callable[[], Any], timeout_s: float = PATIENCE_S) -> Any:
        """Return the first true value of `look`; fail with the output if it never comes.

        Args:
            what: What is waited for, for the message.
            look: Called again and again, once more after the program has ended.
            timeout_s: Seconds to wait at most.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            running = self.running()
            if found := look():
                return found
            if not running:
                raise AssertionError(
                    f"{self} ended with {self.process.returncode}, without {what}\n{self.told()}"
                )
            if time.monotonic() > deadline:
                raise AssertionError(f"{self}: no {what} in {timeout_s} s\n{self.told()}")
            time.sleep(POLL_S)

    def wait_for(self, pattern: str, timeout_s: float = PATIENCE_S) -> re.Match[str]:
        """Wait until a regular expression is found in what it printed, on either stream."""
        search = re.compile(pattern).search
        match: re.Match[str] = self.wait_until(
            repr(pattern), lambda: search(self.output()) or search(self.errors()), timeout_s
        )
        return match

    def documents(self, event: str | None = None) -> list[dict[str, Any]]:
        """Return the JSON objects that it printed, one a line, or those of one event."""
        whole = self.output().rpartition("\n")[0].splitlines()
        found = [json.loads(line) for line in whole if line.startswith("{")]
        return [one for one in found if event is None or one.get("event") == event]

    def wait_event(
        self, event: str, timeout_s: float = PATIENCE_S, **values: object
    ) -> dict[str, Any]:
        """Wait for a line ``{"event": event, …}`` with these values, and return the first."""

        def look() -> dict[str, Any] | None:
            fits = (
                one
                for one in self.documents(event)
                if all(one.get(name) == value for name, value in values.items())
            )
            return next(fits, None)

        found: dict[str, Any] = self.wait_until(f"event {event} {values or ''}", look, timeout_s)
        return found

    def tell(self, document: object) -> None:
        """Write a JSON line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(document).encode() + b"\n")
        self.process.stdin.flush()

    def wait(self, timeout_s: float = PATIENCE_S, *, exit_code: int | None = 0) -> int:
        """Wait for its end, and check its exit code unless that is ``None``."""
        self.wait_until("an end", lambda: not self.running(), timeout_s)
        code = self.process.returncode
        assert exit_code is None or code == exit_code, f"{self} ended with {code}\n{self.told()}"
        return code

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 10.0) -> int:
        """Ask it to stop; after so many seconds, or if it leaves children, kill the group."""
        if self.running():
            os.kill(self.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout_s)
        self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """End the whole process group at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()

    def told(self) -> str:
        """Return the command and the end of both outputs, for the message of a failure."""
        return (
            f"$ {' '.join(self.command)}\n--- output\n{self.output()[-SHOWN_CHARS:]}\n"
            f"--- errors\n{self.errors()[-SHOWN_CHARS:]}"
        )

    def __str__(self) -> str:
        return self.name


def dies_with_the_test() -> list[str]:
    """Return the words before a command that end it when the process that started it is killed."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
