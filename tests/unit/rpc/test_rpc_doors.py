"""The feeds over HTTP: whatever is asked for, only what is signed and synced is given."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Never

import pytest
from fixed_backend import FixedBackend
from serving import Wire, serving

from nodevms.feed import Feed, KeyPair
from nodevms.rpc.doors import feed_routes
from nodevms.vm.errors import BackendClosedError

PAIR = KeyPair.from_seed(b"\x0d" * 32)
BLOCKS = [b"block %d" % n * 10_000 for n in range(7)]


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    feed = Feed.create(tmp_path, "call-log.", PAIR)
    feed.append(BLOCKS)
    feed.sync()
    return feed


@pytest.fixture
async def wire(tmp_path: Path, feed: Feed) -> AsyncIterator[Wire]:
    empty = Feed.create(tmp_path / "empty", "", KeyPair.generate())
    places = {"call-log": (feed, tmp_path, "call-log."), "content": (empty, tmp_path / "empty", "")}
    routes = {"/": feed_routes(lambda: places), "/bob": feed_routes(lambda: places)}
    async with serving(FixedBackend(), routes=routes) as wire:
        yield wire
    feed.close()
    empty.close()


async def get(wire: Wire, path: str, wanted: str | None = None) -> tuple[int, bytes, str | None]:
    headers = {} if wanted is None else {"Range": wanted}
    async with wire.session.get(wire.url(path), headers=headers) as response:
        if response.status < 300:
            assert response.headers["Cache-Control"] == "no-store"
        return response.status, await response.read(), response.headers.get("Content-Range")


@pytest.mark.parametrize("mount", ["", "/bob"])
async def test_the_head_is_the_signed_one(wire: Wire, feed: Feed, mount: str) -> None:
    status, body, _ = await get(wire, f"{mount}/feeds/call-log/head")
    assert status == 200
    assert json.loads(body) == {
        "key": PAIR.public.hex(),
        "length": 7,
        "byteLength": sum(map(len, BLOCKS)),
        "signature": feed.head().signature.hex(),
    }
    empty = json.loads((await get(wire, f"{mount}/feeds/content/head"))[1])
    assert (empty["length"], empty["byteLength"], empty["signature"]) == (0, 0, "")


@pytest.mark.parametrize("part", ["data", "tree", "signatures"])
async def test_files_come_whole_and_in_ranges(wire: Wire, tmp_path: Path, part: str) -> None:
    whole = (tmp_path / f"call-log.{part}").read_bytes()
    path, size = f"/feeds/call-log/{part}", len(whole)
    assert await get(wire, path) == (200, whole, None)
    for wanted, start, stop in (
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, size),
        (f"bytes=10-{size + 10**12}", 10, size),
        ("bytes=-7", size - 7, size),
        (f"bytes=-{size + 1}", 0, size),
        (f"bytes={size - 1}-", size - 1, size),
    ):
        told = f"bytes {start}-{stop - 1}/{size}"
        assert await get(wire, path, wanted) == (206, whole[start:stop], told), wanted
    for wanted in (
        f"bytes={size}-",
        "bytes=-0",
        "bytes=7-5",
        "bytes=x",
        "bytes=0-1,3-4",
        "lines=1-2",
    ):
        assert (await get(wire, path, wanted))[0] == 416, wanted


async def test_a_backend_that_recovers_is_unavailable_for_a_while() -> None:
    def feeds() -> Never:
        raise BackendClosedError("the backend is not running")

    async with serving(FixedBackend(), routes={"/": feed_routes(feeds)}) as wire:
        status, body, _ = await get(wire, "/feeds/call-log/head")
    assert status == 503
    assert json.loads(body)["error"]["code"] == "closed"


async def test_an_empty_file_has_no_ranges(wire: Wire) -> None:
    assert await get(wire, "/feeds/content/data") == (200, b"", None)
    for wanted in ("bytes=0-", "bytes=0-0", "bytes=-1"):
        assert (await get(wire, "/feeds/content/data", wanted))[::2] == (416, "bytes */0")
    assert len((await get(wire, "/feeds/content/tree"))[1]) == 32


async def test_what_is_not_synced_stays(wire: Wire, feed: Feed) -> None:
    before = [(await get(wire, f"/feeds/call-log/{p}"))[1] for p in ("data", "signatures")]
    feed.append([b"not synced"])
    head = json.loads((await get(wire, "/feeds/call-log/head"))[1])
    assert head["length"] == 7
    assert [(await get(wire, f"/feeds/call-log/{p}"))[1] for p in ("data", "signatures")] == before
    feed.sync()
    assert json.loads((await get(wire, "/feeds/call-log/head"))[1])["length"] == 8
    assert (await get(wire, "/feeds/call-log/data"))[1] == before[0] + b"not synced"


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/call-log/secret_key",
        "/feeds/call-log/key",
        "/feeds/call-log/bitfield",
        "/feeds/call-log/",
        "/feeds/call-log",
        "/feeds/",
        "/feeds/metadata/head",
        "/feeds/call-log/data/x",
        "/feeds/call-log/../call-log.secret_key",
        "/feeds/call-log/%2e%2e/call-log.secret_key",
        "/feeds/..%2f..%2fcall-log.secret_key/data",
        "/feeds/call-log%00/data",
    ],
)
async def test_nothing_else_has_a_path(wire: Wire, path: str) -> None:
    assert (await get(wire, path))[0] == 404


async def test_head_requests_and_other_methods(wire: Wire) -> None:
    async with wire.session.head(wire.url("/feeds/call-log/data")) as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) == sum(map(len, BLOCKS))
        assert await response.read() == b""
    async with wire.session.post(wire.url("/feeds/call-log/data"), data=b"x") as response:
        assert response.status == 405
    headers = {"Host": "evil.example"}
    async with wire.session.get(wire.url("/feeds/call-log/data"), headers=headers) as response:
        assert response.status == 403
