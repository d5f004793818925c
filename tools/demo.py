"""The main job in a minute: serve, call, restart, verify; then lie about it, and be caught."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nodevms.feed import Feed, KeyPair
from nodevms.rpc import RPCClient

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "persistent-counter.js"
LOG = "call-log."


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
    server, address = serve()
    asyncio.run(call(address, 3))
    stop(server)
    say("The host stops it, starts it again, and one more call: the count goes on.")
    server, address = serve()
    asyncio.run(call(address, 1))
    say("Nobody has to believe the host. Anybody can replay all calls and compare every answer:")
    nodevms("verify", address, expect=0)
    show("\n(It counts the log's entries: four calls and two starts.)")
    stop(server)
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


def serve() -> tuple[subprocess.Popen[str], str]:
    """Start the server; return it and its address, once it serves."""
    arguments = ("exec", SCRIPT.name, "--port", "0")
    print(f"  $ nodevms {' '.join(arguments)}")
    server = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True)
    address = ""
    for line in server.stdout or ():
        print(f"  {line}".rstrip())
        if line.startswith("Serving at "):
            address = line.removeprefix("Serving at ").strip()
        if line.startswith("Call log:"):
            return server, address
    raise SystemExit("The server did not start.")


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
    done = subprocess.run(command(*arguments), check=False)
    print(f"  (exit code {done.returncode})")
    if done.returncode != expect:
        raise SystemExit(f"nodevms {arguments[0]} should have ended with {expect}.")


def command(*arguments: str) -> list[str]:
    """Return the command line of ``nodevms``."""
    return [sys.executable, "-m", "nodevms.cli", *arguments]


async def call(address: str, times: int) -> None:
    """Call ``increment`` and print what it answers."""
    print()
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
