"""Calls over one WebSocket connection, always so many at a time, and what they took."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from servers import ROOT, Server

from nodevms.rpc import RPCClient

PEERS = ROOT / "tests" / "peers"


@dataclass(frozen=True, slots=True)
class Run:
    """What one run came to."""

    calls: int
    calls_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def our_client(
    server: Server,
    in_flight: int,
    *,
    seconds: float = 1e9,
    calls_max: int = 1 << 60,
    method: str = "increment",
) -> Run:
    """Call with our own client for some seconds or some calls, whichever ends first."""
    return _run(server, lambda: asyncio.run(_load(server, in_flight, seconds, calls_max, method)))


def npm_client(server: Server, in_flight: int, seconds: float) -> Run | None:
    """Call with nodevms-client@2.0.0 from npm; None where Node or the package is missing."""
    node = shutil.which("node", path=f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}")
    if node is None or not (PEERS / "node_modules").is_dir():
        return None
    program = Path(__file__).with_name("npm_load.js")
    command = [node, str(program), str(PEERS), server.address, str(in_flight), str(seconds)]

    def load() -> tuple[list[float], float]:
        out = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return out["times"], out["seconds"]

    return _run(server, load)


def _run(server: Server, load) -> Run:  # type: ignore[no-untyped-def]
    before = server.cpu_s()
    times, seconds = load()
    cpu_ms = (server.cpu_s() - before) * 1e3 / len(times)
    times.sort()
    p50, p99 = (times[int(len(times) * part)] * 1e3 for part in (0.5, 0.99))
    return Run(len(times), len(times) / seconds, p50, p99, cpu_ms)


async def _load(
    server: Server, in_flight: int, seconds: float, calls_max: int, method: str
) -> tuple[list[float], float]:
    times: list[float] = []
    begun = 0
    async with RPCClient() as client:
        await client.connect(server.address)
        start = time.perf_counter()
        end = start + seconds

        async def worker() -> None:
            nonlocal begun
            while (begin := time.perf_counter()) < end and begun < calls_max:
                begun += 1
                await client.call_json(method)
                times.append(time.perf_counter() - begin)

        await asyncio.gather(*[worker() for _ in range(in_flight)])
        return times, time.perf_counter() - start
