"""A backend's files, served, and what a client gets of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fixed_backend import FixedBackend
from multidict import CIMultiDictProxy
from serving import Wire, serving
from yarl import URL

from nodevms import VM, DatArchive
from nodevms.sandbox import Engine

SCRIPT = """
const fs = System.files
exports.write = (path, data, encoding) => fs.writeFile(path, data, encoding)
exports.fill = (path, size) => fs.writeFile(path, new Uint8Array(size).fill(120))
exports.mkdir = path => fs.mkdir(path)
exports.remove = path => fs.unlink(path)
exports.many = async (folder, count, digits) => {
  for (let n = 0; n < count; n++) await fs.writeFile(`${folder}/${String(n).padStart(4, '0')}`, n)
}
"""


class WithFilesBackend(FixedBackend):
    """A backend whose files are those of a directory."""

    def __init__(self, archive: DatArchive) -> None:
        super().__init__()
        self.files_archive = archive


@dataclass(frozen=True)
class Got:
    status: int
    body: bytes
    headers: CIMultiDictProxy[str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reader:
    """Asks a server; targets are sent as they are written."""

    wire: Wire

    async def get(
        self, target: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Got:
        url = URL(self.wire.url(target), encoded=True)
        asked = {"Accept": "*/*"} | dict(headers or {})
        async with self.wire.session.request(
            method, url, headers=asked, allow_redirects=False
        ) as response:
            return Got(response.status, await response.read(), response.headers)

    async def raw(self, target: bytes) -> bytes:
        """Send a request target that no client library would, and return the status line."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.wire.server.port)
        writer.write(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target)
        answer = await reader.read()
        writer.close()
        return answer.split(b"\r\n", 1)[0]


@asynccontextmanager
async def reading(archive: DatArchive, mount: str = "/", **options: Any) -> AsyncIterator[Reader]:
    """Serve an archive at a mount."""
    async with serving({mount: WithFilesBackend(archive)}, **options) as wire:
        yield Reader(wire)


@asynccontextmanager
async def running(engine: Engine, directory: Any, code: str = SCRIPT) -> AsyncIterator[VM]:
    """Run a backend; its clock gives whole seconds from 1,600,000,000 on."""
    ticks = iter(range(1_600_000_000_000, 1_700_000_000_000, 1000))
    vm = VM(code, engine=engine, clock=lambda: next(ticks))
    await vm.deploy(dir=directory, title="An <i>album</i>")
    try:
        yield vm
    finally:
        await vm.close()
