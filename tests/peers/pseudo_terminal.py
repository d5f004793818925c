"""A program at a terminal of its own, with somebody who types and reads."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

_STEERING = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[=>()][AB0-9]?|\r(?!\n)")
_OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
WAIT_SECONDS = 20


class PseudoTerminal:
    """Text goes in as keys; what comes out is read without colours and cursor movements."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: str) -> None:
        self._fd, other = pty.openpty()
        termios.tcsetwinsize(self._fd, (40, 120))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _OWN_TERMINAL, *command],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            env=dict(environ),
            cwd=folder,
        )
        os.close(other)
        os.set_blocking(self._fd, False)
        self.raw = ""
        self._read = 0

    def type(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def enter(self, line: str) -> None:
        """Type a line, and Enter once the program shows it."""
        self.type(line)
        self.see(re.escape(line[-20:]))
        self.type("\r")

    def see(self, pattern: str) -> str:
        """Wait until what was not read yet has a match, and read up to its end."""
        wanted = re.compile(pattern, re.MULTILINE)
        end = time.monotonic() + WAIT_SECONDS
        while (found := wanted.search(self.text, self._read)) is None:
            if time.monotonic() > end or not self._receive(end):
                raise AssertionError(f"no {pattern!r} in {self.text[self._read :]!r}")
        self._read = found.end()
        return found[0]

    @property
    def text(self) -> str:
        return _STEERING.sub("", self.raw).replace("\r\n", "\n")

    def wait(self) -> int:
        """Read to the end and return the exit code."""
        while self._receive(time.monotonic() + WAIT_SECONDS):
            pass
        return self.process.wait(WAIT_SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._fd)

    def _receive(self, end: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(0, end - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # how Linux tells that nobody has the other end open
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def at_terminal(*command: str, environ: Mapping[str, str], folder: str) -> Iterator[PseudoTerminal]:
    plain = {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", "LANG": "C.UTF-8"}
    terminal = PseudoTerminal(command, {**plain, **environ}, folder)
    try:
        yield terminal
    finally:
        terminal.close()
