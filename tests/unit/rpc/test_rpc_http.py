"""JSON-RPC by POST, documents by GET, and what browsers' pages may do."""

from __future__ import annotations

import asyncio
import base64
import io
import json

import pytest
from aiohttp import web
from fixed_backend import FixedBackend
from serving import called, request, serving

from nodevms.errors import UsageError
from nodevms.rpc import Limits, RPCServer


async def test_a_call_by_post_is_answered_with_its_entry() -> None:
    backend = FixedBackend()
    message = request("echo", 1, ["~", 1]).encode()
    expected = {"jsonrpc": "2.0", "result": ["~", 1], "id": 1, "seq": 1, "epoch": 3}
    mounts = {"/bob/counter": backend}
    async with serving(mounts) as wire, wire.post(message, "/bob/counter") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        assert await response.json() == expected
    assert backend.calls == [("echo", b'["~",1]', None)]


async def test_batches_notifications_and_errors_by_post() -> None:
    async with serving(FixedBackend()) as wire:
        batch = f"[{request('echo', 1)},{request('nope', 2)}]"
        async with wire.post(batch.encode()) as response:
            one, two = await response.json()
            assert (one["result"], two["error"]["code"]) == ([], -32601)
        async with wire.post(b'{"jsonrpc":"2.0","method":"echo"}') as response:
            assert (response.status, await response.read()) == (204, b"")
        async with wire.post(b"not JSON") as response:
            assert (response.status, (await response.json())["error"]["code"]) == (200, -32700)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "text/json"])
async def test_other_content_types_are_415(kind: str) -> None:
    backend = FixedBackend()
    message = request("echo").encode()
    async with serving(backend) as wire, wire.post(message, Content_Type=kind) as response:
        assert response.status == 415
        assert "application/json" in (await response.json())["error"]["data"]
    assert backend.calls == []


async def test_bad_bodies() -> None:
    backend = FixedBackend()
    async with serving(backend, limits=Limits(body_seconds=0.1)) as wire:
        async with wire.post(b'{"\xff":1}') as response:
            assert response.status == 400
        async with wire.post(io.BytesIO(b"x" * (9 << 20))) as response:
            assert response.status == 413
            error = (await response.json())["error"]
            assert (error["code"], "1,114,112" in error["data"]) == (-32003, True)
        async with wire.post(b"", Content_Length="10") as response:
            assert response.status == 408
    assert backend.calls == []


async def test_a_client_that_leaves_does_not_undo_its_call() -> None:
    backend = FixedBackend(held=True)
    async with serving(backend) as wire:
        message = request("echo").encode()
        _, writer = await asyncio.open_connection("127.0.0.1", wire.server.port)
        writer.write(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(message), message)
        )
        await called(backend)
        writer.transport.abort()
        await asyncio.sleep(0)
        backend.release()
        backend._held = False
        async with wire.post(message) as response:
            assert (await response.json())["seq"] == 2


async def test_names_are_believed_in_debug_mode_only() -> None:
    header = "Basic " + base64.b64encode(b"alice:").decode()
    async with serving({"/": FixedBackend(), "/debug": FixedBackend(debug=True)}) as wire:
        async with wire.post(
            request("whoami").encode(), "/debug", Authorization=header
        ) as response:
            assert (await response.json())["result"] == "alice"
        path = "/debug?user=bob"
        async with wire.post(request("whoami").encode(), path, Authorization=header) as response:
            assert (await response.json())["result"] == "bob"
        async with wire.post(request("whoami").encode(), Authorization=header) as response:
            assert response.status == 403
            error = (await response.json())["error"]
            assert (error["code"], "--debug" in error["data"]) == (-32001, True)


async def test_get_says_what_is_served() -> None:
    async with serving(FixedBackend()) as wire:
        async with wire.session.get(wire.url()) as response:
            assert response.status == 200
            assert (await response.json())["callLogUrl"] == FixedBackend.call_log_url
        async with wire.session.get(wire.url("/nothing/here")) as response:
            assert response.status == 404
            assert (await response.json())["error"]["code"] == "not-found"
        async with wire.session.put(wire.url()) as response:
            assert response.status == 405


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": "evil.example:5555", "Origin": "http://evil.example:5555"},
    ],
)
async def test_pages_of_other_origins_get_403_and_no_cors(headers: dict[str, str]) -> None:
    backend = FixedBackend()
    routes = {"/": [("files/", _document)]}
    async with serving(backend, routes=routes, allow_origins=["https://good.example"]) as wire:
        async with wire.post(request("echo").encode(), **headers) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers
            assert "--allow-origin" in (await response.json())["error"]["message"]
        for path in ("/", "/files/a", "/nothing"):
            async with wire.session.get(wire.url(path), headers=headers) as response:
                assert response.status == 403
        async with wire.session.options(wire.url(), headers=headers) as response:
            assert response.status == 403
    assert backend.calls == []


async def test_pages_of_allowed_origins_may_call() -> None:
    async with serving(FixedBackend(), allow_origins=["https://good.example"]) as wire:
        headers = {"Origin": "https://good.example"}
        preflight = {**headers, "Access-Control-Request-Method": "POST"}
        async with wire.session.options(wire.url(), headers=preflight) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "https://good.example"
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
            assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]
        async with wire.post(request("echo").encode(), **headers) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "https://good.example"
            assert response.headers["Vary"] == "Origin"


async def _document(request: web.Request) -> web.StreamResponse:
    return web.Response(text=request.match_info.get("path", "exact"))


async def test_documents_are_served_below_their_mount() -> None:
    routes = {"/": [("healthz", _document), ("files/", _document)], "/bob": [("files/", _document)]}
    mounts = {"/ann": FixedBackend(), "/bob": FixedBackend()}
    async with serving(mounts, routes=routes) as wire:
        for path, text in (
            ("/healthz", "exact"),
            ("/files/a/b%20c", "a/b c"),
            ("/files/", ""),
            ("/bob/files/x", "x"),
        ):
            async with wire.session.get(wire.url(path)) as response:
                assert (response.status, await response.text()) == (200, text)
        async with wire.session.head(wire.url("/healthz")) as response:
            assert response.status == 200
        async with wire.post(b"{}", "/healthz") as response:
            assert response.status == 405
        async with wire.session.get(wire.url("/bob/healthz")) as response:
            assert response.status == 404


@pytest.mark.parametrize(
    "path",
    ["", "bob", "/bob/", "//", "/a//b", "/../x", "/a b", "/é", "/files", "/bob/feeds", "/{x}"],
)
def test_what_is_no_mount_path(path: str) -> None:
    with pytest.raises(UsageError):
        RPCServer({path: FixedBackend()})


async def test_a_taken_port_is_said() -> None:
    async with serving(FixedBackend()) as wire:
        second = RPCServer({"/": FixedBackend()}, port=wire.server.port)
        with pytest.raises(UsageError, match=f"127.0.0.1:{wire.server.port}") as taken:
            await second.start()
        assert taken.value.code == "address"
        await second.stop()
        async with wire.post(json.dumps({}).encode()) as response:
            assert response.status == 200
