"""The main job in a minute: serve, call, restart, verify, share; then lie, and be caught."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from nodevms.feed import Feed, KeyPair
from nodevms.rpc import RPCClient

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "persistent-counter.js"
LOG = "call-log."
PATIENCE_S = 120.0
"""How long anything may take, on the slowest machine."""
PUBLISHED_S = 30.0
"""How long the published files may lag behind; it is a second, when the machine has time."""


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        address: Where it can be called.
        files: The ``dat://`` URL of its files.
        log: That of its call log.
        port: Where it is in the Dat network; empty if it is not.
    """

    address: str
    files: str
    log: str
    port: str


def main() -> None:
    """Run the demonstration in a temporary directory, and clean it up."""
    with tempfile.TemporaryDirectory(prefix="nodevms-demo-") as place:
        os.environ["XDG_STATE_HOME"] = str(Path(place) / "state")
        os.chdir(place)
        run()


def run() -> None:
    """Show each step; end with an error if one does not come out as it must."""
    shutil.copy(SCRIPT, SCRIPT.name)
    directory = Path(SCRIPT.stem)
    say("A backend script. It counts, and keeps the count in a file:")
    show(SCRIPT.read_text())
    say("A host serves it. Three calls:")
    with serve() as server:
        asyncio.run(call(server.address, 3))
    say("The host stops it, starts it again, and one more call: the count goes on.")
    with serve() as server:
        asyncio.run(call(server.address, 1))
        say("Nobody has to believe the host. Anybody can replay all calls and compare the answers:")
        nodevms("verify", server.address, expect=0)
        show("\n(It counts the log's entries: four calls and two starts.)")
        share(server)
    say("Now the host lies. In a copy of its data it changes a logged answer from 2 to 9:")
    shutil.copytree(directory, "tampered")
    lie(Path("tampered", LOG + "data"))
    nodevms("verify", "./tampered", expect=1)
    say("It tries again, and signs the whole log anew with its own key, so that all hashes fit:")
    shutil.copytree(directory, "signed-anew")
    lie_and_sign(Path("signed-anew"))
    nodevms("verify", "./signed-anew", expect=1)
    say("Caught both times, with the entry named. That is the whole idea.")
    say("Try it yourself, in two terminals:")
    show(
        "$ .venv/bin/nodevms exec examples/counter.js\n"
        "$ .venv/bin/nodevms repl localhost:5555\n> client.increment()"
    )


@contextmanager
def serve() -> Iterator[Served]:
    """Serve the script; in the end, stop as an operator would."""
    arguments = ("exec", SCRIPT.name, "--port", "0", "--swarm-port", "0")
    print(f"  $ nodevms {' '.join(arguments)}")
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        try:
            yield Served(*said(program))
            program.terminate()
            if program.wait(PATIENCE_S) != 0:
                raise SystemExit("The server did not stop cleanly.")
        finally:
            program.kill()


def said(program: subprocess.Popen[str]) -> tuple[str, str, str, str]:
    """Show what the server says until it serves; return address, files, log and Dat port."""
    found = dict.fromkeys(("Serving at", "Files:", "Call log:", "nodevms.dat:"), "")
    last = "nodevms.dat:" if swarm_wanted() else "Call log:"
    patience = threading.Timer(PATIENCE_S, program.kill)
    patience.start()
    for line in program.stdout or ():
        print(f"  {line}".rstrip())
        for beginning in found:
            if line.startswith(beginning):
                found[beginning] = line.split()[-1]
        if found[last]:
            patience.cancel()
            address, files, log, port = found.values()
            return address, files, log, port if port.isdecimal() else ""
    patience.cancel()
    raise SystemExit("The server did not start.")


def swarm_wanted() -> bool:
    """Tell whether the user lets programs share: ``NODEVMS_SWARM=no`` forbids it."""
    return bool(click.BOOL.convert(os.environ.get("NODEVMS_SWARM") or True, None, None))


def share(server: Served) -> None:
    """Read files and log over the Dat network, from the server that shares them."""
    if not server.port:
        show("\n(The Dat network is turned off or cannot be joined here, and not shown.)")
        return
    say("Both URLs are real, in the Dat network. Nobody needs the server to read them:")
    peer = ("--no-swarm", "--peer", f"127.0.0.1:{server.port}")
    clone = ("clone", server.files, "copy", *peer)
    print(f"  $ nodevms {' '.join(clone)}")
    deadline = time.monotonic() + PUBLISHED_S
    while True:
        done = run_command(*clone, capture=True)
        count = Path("copy", "counter")
        if done.returncode == 0 and count.exists() and count.read_text() == "4":
            break
        if time.monotonic() > deadline:
            raise SystemExit(f"The files did not come.\n{done.stdout}{done.stderr}")
        time.sleep(0.2)
    show(f"{done.stdout}$ cat copy/counter\n{count.read_text()}")
    nodevms("verify", server.log, *peer, expect=0)
    show("\n(--peer names who is asked. Without it, who shares them is found by itself.)")


def lie(data: Path) -> None:
    """Change one answer where it is stored."""
    honest = data.read_bytes()
    data.write_bytes(lied(honest))


def lied(honest: bytes) -> bytes:
    """Return the log's bytes with one answer changed."""
    return honest.replace(b'"result":{"res":2,', b'"result":{"res":9,', 1)


def lie_and_sign(directory: Path) -> None:
    """Change one answer as one who has the secret key can: with a new tree and new signatures."""
    with Feed.open(directory, LOG, writable=False) as feed:
        blocks = [lied(block) for block in feed.get_many(0, feed.length)]
    secret = (directory / f"{LOG}secret_key").read_bytes()
    pair = KeyPair.from_secret(secret, (directory / f"{LOG}key").read_bytes())
    for path in directory.glob(f"{LOG}*"):
        path.unlink()
    with Feed.create(directory, LOG, pair) as feed:
        feed.append(blocks)
        feed.sync()


def nodevms(*arguments: str, expect: int) -> None:
    """Show and run a command to its end."""
    print(f"  $ nodevms {' '.join(arguments)}")
    sys.stdout.flush()
    done = run_command(*arguments)
    print(f"  (exit code {done.returncode})")
    if done.returncode != expect:
        raise SystemExit(f"nodevms {arguments[0]} should have ended with {expect}.")


def run_command(*arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, which must come."""
    try:
        return subprocess.run(
            command(*arguments), check=False, text=True, capture_output=capture, timeout=PATIENCE_S
        )
    except subprocess.TimeoutExpired:
        raise SystemExit(f"nodevms {arguments[0]} did not end.") from None


def command(*arguments: str) -> list[str]:
    """Return the command line of ``nodevms``."""
    return [sys.executable, "-m", "nodevms.cli", *arguments]


async def call(address: str, times: int) -> None:
    """Call ``increment`` and print what it answers."""
    print()
    async with asyncio.timeout(PATIENCE_S), RPCClient() as client:
        await client.connect(address)
        for _ in range(times):
            print(f"  client.increment() → {await client.increment()}")


def say(text: str) -> None:
    """Print a heading."""
    bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(f"\n\x1b[1m{text}\x1b[0m\n" if bold else f"\n— {text}\n", flush=True)


def show(text: str) -> None:
    """Print lines, set off."""
    print("\n".join(f"  {line}" for line in text.rstrip().splitlines()))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
