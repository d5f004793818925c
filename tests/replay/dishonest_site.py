"""A web server that hands out a directory's feeds, whatever is in it, as it likes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from aiohttp import web

from nodevms.feed import dat_url
from nodevms.rpc.connection import SUBPROTOCOL
from nodevms.vm.directory import LOG_PREFIX, Layout

Head = dict[str, Any]
Answer = Awaitable[web.StreamResponse]


class Site:
    """Serves ``feeds/`` and the handshake of a directory, on a thread of its own.

    Attributes:
        heads: Changes a head before it is given: ``heads[name](head)``.
        files: Answers for a file instead of the site: ``files["name/part"](request, bytes)``.
        claims: Replaces members of the handshake.
        away: Where the handshake is sent to instead.
        asked: The paths that were asked for.
    """

    def __init__(self, directory: Path) -> None:
        layout = Layout(directory)
        self._places = {
            "call-log": (directory, LOG_PREFIX),
            "metadata": (layout.metadata, ""),
            "content": (layout.content, ""),
        }
        self.heads: dict[str, Callable[[Head], object]] = {}
        self.files: dict[str, Callable[[web.Request, bytes], Answer]] = {}
        self.claims: Head = {}
        self.away = ""
        self.directory = directory
        self.asked: list[str] = []
        self.address = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def path(self, name: str, part: str) -> Path:
        directory, prefix = self._places[name]
        return directory / f"{prefix}{part}"

    def head(self, name: str) -> Head:
        """Return what an honest server would say of the files as they are."""
        signatures = self.path(name, "signatures").read_bytes()[32:].rstrip(b"\0")
        length = -(-len(signatures) // 64)
        last = self.path(name, "signatures").read_bytes()[32 + 64 * (length - 1) :][:64]
        return {
            "key": self.path(name, "key").read_bytes().hex(),
            "length": length,
            "byteLength": self.path(name, "data").stat().st_size,
            "signature": last.hex() if length else "",
        }

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        application = web.Application()
        application.router.add_get("/", self._handshake)
        application.router.add_get("/feeds/{name}/{part}", self._feed)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.address = f"127.0.0.1:{port}"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _handshake(self, request: web.Request) -> web.StreamResponse:
        if self.away:
            return web.Response(status=302, headers={"Location": self.away})
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,))
        await socket.prepare(request)
        async for message in socket:
            claims = {
                "methods": ["increment"],
                "callLogUrl": dat_url(self.path("call-log", "key").read_bytes()),
                "filesArchiveUrl": dat_url(self.path("metadata", "key").read_bytes()),
            }
            answer = {"jsonrpc": "2.0", "id": message.json()["id"], "result": claims | self.claims}
            await socket.send_json(answer)
        return socket

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        name, part = request.match_info["name"], request.match_info["part"]
        self.asked.append(f"{name}/{part}")
        if part == "head":
            head = self.head(name)
            changed = self.heads.get(name, lambda head: head)(head)
            if isinstance(changed, web.StreamResponse):
                return changed
            return web.json_response(head if changed is None else changed)
        data = self.path(name, part).read_bytes()
        answer = self.files.get(f"{name}/{part}")
        return await (answer(request, data) if answer else ranged(request, data))


async def ranged(request: web.Request, data: bytes) -> web.Response:
    """Answer honestly, with the range that was asked for."""
    wanted = request.http_range
    start, stop = wanted.start or 0, wanted.stop or len(data)
    headers = {"Content-Range": f"bytes {start}-{stop - 1}/{len(data)}"}
    return web.Response(status=206, body=data[start:stop], headers=headers)
