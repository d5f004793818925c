"""Serves a backend and lets `dat` clone its files twice, before and after a change.

Arguments: the node program, then versions of `dat`. Prints one object of JSON with, for each version,
the files of both clones.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = """
exports.write = (path, text) => System.files.writeFile(path, text)
exports.change = async () => {
  await System.files.writeFile('/hello.txt', 'moon')
  await System.files.writeFile('/new.txt', 'new')
  await System.files.unlink('/gone.txt')
}
exports.begin = async () => {
  await System.files.mkdir('/deep')
  await System.files.mkdir('/deep/er')
  await System.files.writeFile('/deep/er/ü.txt', 'x'.repeat(200000))
  await System.files.writeFile('/hello.txt', 'world')
  await System.files.writeFile('/gone.txt', 'soon')
}
"""


def nodevms(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nodevms.cli", *arguments]


def call(address: str, method: str) -> None:
    subprocess.run(nodevms("call", address, method), check=True)


async def clone(node: str, version: str, url: str, target: Path) -> None:
    """Clone; return when it says that it has everything."""
    program = HERE / "node_modules" / f"dat{version}" / "bin" / "cli.js"
    process = await asyncio.create_subprocess_exec(
        node,
        str(program),
        "clone",
        url,
        str(target),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = b""
    # `dat` 14 takes ten more seconds to leave its network; the files are there before.
    while b"sync complete" not in said:
        more = await asyncio.wait_for(process.stdout.read(4096), 45)
        assert more, said.decode()
        said += more
    process.kill()
    await process.wait()


def files_of(target: Path) -> dict[str, str]:
    return {
        str(path.relative_to(target)): path.read_text()
        for path in sorted(target.rglob("*"))
        if path.is_file() and ".dat" not in path.relative_to(target).parts
    }


async def published(address: str, count: int) -> None:
    """Wait until the drive has so many nodes; it follows the log within a second."""
    import urllib.request

    async with asyncio.timeout(30):
        while True:
            with urllib.request.urlopen(f"http://{address}/feeds/metadata/head") as answer:  # noqa: ASYNC210
                if json.load(answer)["length"] > count:
                    return
            await asyncio.sleep(0.1)


async def clones(node: str, versions: list[str], address: str, url: str, turn: int) -> None:
    await published(address, 5 * turn)
    await asyncio.gather(
        *(clone(node, each, url, Path(f"clone{each}-{turn}")) for each in versions)
    )


def main(node: str, *versions: str) -> None:
    Path("backend.js").write_text(SCRIPT)
    server = subprocess.Popen(
        nodevms("exec", "backend.js", "-p", "0"),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NODEVMS_SWARM": "yes"},
    )
    assert server.stdout is not None
    try:
        lines = [server.stdout.readline() for _ in range(5)]
        address, url = lines[0].split()[-1], lines[3].split()[-1]
        for turn, method in enumerate(("begin", "change")):
            call(address, method)
            asyncio.run(clones(node, list(versions), address, url, turn))
    finally:
        server.terminate()
        server.wait(30)
    found = {each: [files_of(Path(f"clone{each}-{turn}")) for turn in (0, 1)] for each in versions}
    print(json.dumps(found))


main(*sys.argv[1:])
