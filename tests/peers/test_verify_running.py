"""A backend's own directory, verified again and again while it answers calls: never an accusation."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nodevms.audit import Fetcher, Memory, Verifier
from nodevms.rpc import RemoteError, RPCClient
from nodevms.sandbox import Engine

CALLS = 2_000
IN_FLIGHT = 16
SCRIPT = """
const fs = System.files
exports.count = async () => {
  const n = (await fs.readFile('/count', 'json') || 0) + 1
  await fs.writeFile('/count', n)
  return n
}
exports.fill = async (name, size) => fs.writeFile(`/folder/${name}`, 'x'.repeat(size))
exports.fail = () => { throw new Error(String(Math.random())) }
"""


async def call_all(address: str) -> None:
    async def some(client: RPCClient, first: int) -> None:
        for n in range(first, CALLS, IN_FLIGHT):
            if n % 10 == 0:
                await client.fill(f"f{n}", n * 50)
            elif n % 10 == 1:
                with pytest.raises(RemoteError):
                    await client.fail()
            else:
                await client.count()

    async with RPCClient() as client:
        await client.connect(address)
        await asyncio.gather(*(some(client, n) for n in range(IN_FLIGHT)))


async def fetch(address: str, place: Path) -> None:
    fetcher = Fetcher(f"http://{address}", place)
    await fetcher.heads()
    for name in ("call-log", "metadata", "content"):
        await fetcher.fetch(name)


@pytest.mark.parametrize("how", ["directory", "HTTP"])
def test_a_backend_under_load_is_never_accused(engine: Engine, tmp_path: Path, how: str) -> None:
    script = tmp_path / "busy.js"
    script.write_text(SCRIPT)
    directory = tmp_path / "backend"
    verifier = Verifier(engine, memory=Memory(tmp_path / "state"))
    command = [sys.executable, "-m", "nodevms.cli", "exec", str(script), "--dir", str(directory)]
    with subprocess.Popen(
        [*command, "-p", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().removeprefix("Serving at localhost:").strip()
            address = f"127.0.0.1:{address}"
            while not server.stdout.readline().startswith("Call log:"):
                pass
            lengths = asyncio.run(verify_while_calling(verifier, directory, address, how))
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0
    assert lengths == sorted(lengths)
    assert len(set(lengths)) >= 3, "the log did not grow while it was verified"
    report = verifier.verify(directory)
    assert report.calls == CALLS
    assert not report.lag
    assert report.seen_before == lengths[-1]


async def verify_while_calling(
    verifier: Verifier, directory: Path, address: str, how: str
) -> list[int]:
    calling = asyncio.create_task(call_all(address))
    lengths: list[int] = []
    while not calling.done():
        place = directory
        if how == "HTTP":
            place = directory.with_name("copy")
            await fetch(address, place)
        report = await asyncio.to_thread(verifier.verify, place)
        lengths.append(report.entries)
    await calling
    return lengths


def test_a_lie_in_a_running_backends_directory_is_proved(engine: Engine, tmp_path: Path) -> None:
    script = tmp_path / "busy.js"
    script.write_text(SCRIPT)
    directory = tmp_path / "backend"
    command = [sys.executable, "-m", "nodevms.cli", "exec", str(script), "--dir", str(directory)]
    with subprocess.Popen(
        [*command, "-p", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().removeprefix("Serving at localhost:").strip()
            asyncio.run(three_calls(f"127.0.0.1:{address}"))
            data = directory / "call-log.data"
            size = data.stat().st_size
            for back in (20, size // 2, size - 1):
                flip(data, size - back)
                verify = [sys.executable, "-m", "nodevms.cli", "verify", str(directory)]
                done = subprocess.run(
                    [*verify, "--json", "--no-memory"],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 1, done.stdout
                document = json.loads(done.stdout)
                assert document["entry"] == {20: 3, size - 1: 0}.get(back, document["entry"])
                flip(data, size - back)
            assert Verifier(engine).verify(directory).entries == 4
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(30) == 0


async def three_calls(address: str) -> None:
    async with RPCClient() as client:
        await client.connect(address)
        for _ in range(3):
            await client.count()


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
