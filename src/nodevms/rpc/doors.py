"""Read-only HTTP paths of a backend: its three feeds, for those who verify.

Only what is signed and synced leaves the process: every answer ends at the head that was synced
when the request came. Places of a tree where no node below that head belongs may hold what a later
batch wrote. Secret keys have no path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from nodevms.feed import Head
from nodevms.rpc.backend import ServedFeed
from nodevms.rpc.ranges import UnsatisfiableRangeError, one_range
from nodevms.rpc.site import Route

CHUNK_BYTES: Final = 256 * 1024
HEADER_BYTES: Final = 32
NODE_BYTES: Final = 40
SIGNATURE_BYTES: Final = 64


class HeadDocument(msgspec.Struct, frozen=True, rename="camel"):
    """What ``feeds/NAME/head`` answers.

    Attributes:
        key: The feed's public key in hex.
        length: Number of blocks.
        byte_length: Bytes of all blocks.
        signature: The key's signature over the root hash, in hex; empty for an empty feed.
    """

    key: str
    length: int
    byte_length: int
    signature: str


def feed_routes(feeds: Callable[[], Mapping[str, tuple[ServedFeed, Path, str]]]) -> Sequence[Route]:
    """Return the routes below ``feeds/``.

    Args:
        feeds: Gives each feed by its name, with its directory and what its files begin with.
    """

    async def serve(request: web.Request) -> web.StreamResponse:
        name, _, part = request.match_info["path"].partition("/")
        place = feeds().get(name)
        if place is None:
            raise web.HTTPNotFound
        feed, directory, prefix = place
        head = feed.synced_head()
        if part == "head":
            return _answer_head(feed.key, head)
        ends = {
            "data": head.byte_length,
            "tree": HEADER_BYTES + NODE_BYTES * max(2 * head.length - 1, 0),
            "signatures": HEADER_BYTES + SIGNATURE_BYTES * head.length,
        }
        if part not in ends:
            raise web.HTTPNotFound
        return await _answer_file(request, directory / f"{prefix}{part}", ends[part])

    return [("feeds/", serve)]


def _answer_head(key: bytes, head: Head) -> web.Response:
    document = HeadDocument(
        key=key.hex(),
        length=head.length,
        byte_length=head.byte_length,
        signature=head.signature.hex(),
    )
    return web.Response(
        body=msgspec.json.encode(document),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def _answer_file(request: web.Request, path: Path, end: int) -> web.StreamResponse:
    header = request.headers.get("Range")
    partial = header is not None
    try:
        wanted = range(end) if header is None else one_range(header, end)
    except UnsatisfiableRangeError:
        wanted = None
    if wanted is None:  # nor anything but one range: who fetches a feed wants what it asked for
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{end}"})
    start, stop = wanted.start, wanted.stop
    response = web.StreamResponse(status=206 if partial else 200)
    response.content_type = "application/octet-stream"
    response.content_length = stop - start
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "no-store"
    if partial:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{end}"
    await response.prepare(request)
    if request.method != "HEAD":
        await _copy(path, start, stop, response)
    await response.write_eof()
    return response


async def _copy(path: Path, start: int, stop: int, response: web.StreamResponse) -> None:
    loop = asyncio.get_running_loop()
    file = await loop.run_in_executor(None, path.open, "rb")
    try:
        file.seek(start)
        while start < stop:
            size = min(CHUNK_BYTES, stop - start)
            chunk = await loop.run_in_executor(None, file.read, size)
            if not chunk:
                return
            start += len(chunk)
            await response.write(chunk)
    finally:
        file.close()
