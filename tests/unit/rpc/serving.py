"""A server and raw connections for the tests of this folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, Any

import aiohttp
from fixed_backend import FixedBackend

from nodevms.rpc import Backend, Limits, RPCClient, RPCServer
from nodevms.rpc.site import Route


@dataclass
class Wire:
    """A running server and a plain HTTP client for it."""

    server: RPCServer
    session: aiohttp.ClientSession

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    def socket(self, path: str = "/", **options: Any) -> Any:
        options.setdefault("max_msg_size", 64 << 20)
        return self.session.ws_connect(self.url(path), **options)

    def post(self, data: bytes | IO[bytes], path: str = "/", **headers: str) -> Any:
        named = {"Content-Type": "application/json"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.post(self.url(path), data=data, headers=named)


@asynccontextmanager
async def serving(
    mounts: Backend | Mapping[str, Backend],
    *,
    limits: Limits = Limits(),  # noqa: B008
    allow_origins: Sequence[str] = (),
    routes: Mapping[str, Sequence[Route]] | None = None,
) -> AsyncIterator[Wire]:
    named = mounts if isinstance(mounts, Mapping) else {"/": mounts}
    server = RPCServer(named, port=0, allow_origins=allow_origins, routes=routes, limits=limits)
    await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Wire(server, session)
    finally:
        await server.stop(1.0)


def request(method: str, request_id: object = 1, params: object = ()) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": request_id})


@asynccontextmanager
async def connected(backend: Backend, **options: Any) -> AsyncIterator[RPCClient]:
    """A server with one backend and a client of ours."""
    async with serving(backend) as wire:
        client = RPCClient(**options)
        async with await client.connect(f"localhost:{wire.server.port}"):
            yield client


async def called(backend: FixedBackend, count: int = 1) -> None:
    """Wait until the backend has got so many calls."""
    async with asyncio.timeout(5):
        while len(backend.calls) < count:  # noqa: ASYNC110
            await asyncio.sleep(0)
