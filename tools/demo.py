"""The main job in a minute: serve, call, restart, verify; then tamper with a copy and be caught."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nodevms.rpc import RPCClient

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "persistent-counter.js"


def main() -> None:
    """Run the demonstration in a temporary directory, and clean it up."""
    with tempfile.TemporaryDirectory(prefix="nodevms-demo-") as place:
        os.environ["XDG_STATE_HOME"] = str(Path(place) / "state")
        Demo(Path(place)).run()


class Demo:
    """One backend, from its first call to the proof of a lie about it."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._directory = place / "persistent-counter"

    def run(self) -> None:
        """Show each step; end with an error if one does not come out as it must."""
        say("A backend script, twenty lines at most:")
        print(SCRIPT.read_text())
        say("We serve it and call it three times.")
        server, address = self._serve()
        asyncio.run(call(address, 3))
        stop(server)
        say("We stop the server, start it again, and call once more: nothing is lost.")
        server, address = self._serve()
        asyncio.run(call(address, 1))
        say("Anybody can verify every answer that it ever gave:")
        self._nodevms("verify", address, expect=0)
        stop(server)
        say("Now a dishonest host changes one logged answer from 2 to 9 in a copy of the data:")
        self._tamper()
        self._nodevms("verify", str(self._place / "tampered"), expect=1)
        say("Caught, with the entry named. That was the whole idea.")

    def _serve(self) -> tuple[subprocess.Popen[str], str]:
        command = nodevms("exec", str(SCRIPT), "--port", "0", "--dir", str(self._directory))
        print(f"$ nodevms exec {SCRIPT.relative_to(ROOT)}")
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        address = ""
        for line in server.stdout or ():
            print(f"  {line}", end="")
            if line.startswith("Serving at "):
                address = line.removeprefix("Serving at ").strip()
            if line.startswith("Call log:"):
                return server, address
        raise SystemExit("The server did not start.")

    def _tamper(self) -> None:
        copy = self._place / "tampered"
        shutil.copytree(self._directory, copy)
        data = copy / "call-log.data"
        honest = data.read_bytes()
        data.write_bytes(honest.replace(b'"result":{"res":2,', b'"result":{"res":9,', 1))

    def _nodevms(self, *arguments: str, expect: int) -> None:
        print(f"$ nodevms {' '.join(arguments)}")
        sys.stdout.flush()
        done = subprocess.run(nodevms(*arguments), check=False)
        print(f"  exit code {done.returncode}")
        if done.returncode != expect:
            raise SystemExit(f"nodevms {arguments[0]} should have ended with {expect}.")


def nodevms(*arguments: str) -> list[str]:
    """Return the command line of ``nodevms``."""
    return [sys.executable, "-m", "nodevms.cli", *arguments]


async def call(address: str, times: int) -> None:
    """Call ``increment`` and print what it answers."""
    async with RPCClient() as client:
        await client.connect(address)
        for _ in range(times):
            print(f"  client.increment() → {await client.increment()}")


def stop(server: subprocess.Popen[str]) -> None:
    """End a server as an operator would."""
    server.terminate()
    if server.wait(timeout=30) != 0:
        raise SystemExit("The server did not stop cleanly.")
    if server.stdout is not None:
        server.stdout.close()


def say(text: str) -> None:
    """Print a heading."""
    print(f"\n— {text}\n")


if __name__ == "__main__":
    main()
