"""What clients do wrong, on the wire of a real server: each gets its error, nothing is lost."""

from __future__ import annotations

import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType
from command_line import PATIENCE_S, nodevms
from one_server import Shared, one_server

from nodevms.rpc.connection import SUBPROTOCOL
from nodevms.vm import CallLog
from nodevms.vm.entries import Call

QUEUE_FULL = "Too many active requests. Try again in a few minutes."
NOT_FOUND = (-32601, None)
BAD_REQUESTS: dict[str, tuple[str, int, object]] = {
    "no JSON": ("{", -32700, None),
    "no text at all": ("", -32700, None),
    "JSON and something after it": ('{"jsonrpc":"2.0","method":"ok","id":1} x', -32700, None),
    "NaN in JSON": ('{"jsonrpc":"2.0","method":"size","params":[NaN],"id":1}', -32700, None),
    "a number": ("5", -32600, None),
    "null": ("null", -32600, None),
    "an empty batch": ("[]", -32600, None),
    "no version": ('{"method":"ok","id":1}', -32600, 1),
    "another version": ('{"jsonrpc":"1.0","method":"ok","id":1}', -32600, 1),
    "no method": ('{"jsonrpc":"2.0","id":1}', -32602, 1),
    "a method that is no string": ('{"jsonrpc":"2.0","method":5,"id":1}', -32600, 1),
    "params that are a string": (
        *('{"jsonrpc":"2.0","method":"ok","params":"x","id":1}', -32600, 1),
    ),
    "params by name": ('{"jsonrpc":"2.0","method":"ok","params":{"a":1},"id":1}', -32602, 1),
    "an id that is an object": ('{"jsonrpc":"2.0","method":"ok","id":{}}', -32600, None),
    "a long id": (json.dumps({"jsonrpc": "2.0", "method": "ok", "id": "x" * 300}), -32600, None),
    "deep arguments": (
        '{"jsonrpc":"2.0","method":"ok","params":' + "[" * 200 + "]" * 200 + ',"id":1}',
        *(-32003, 1),
    ),
    "a large batch": (
        json.dumps([{"jsonrpc": "2.0", "method": "ok", "id": 1}] * 1001),
        *(-32003, None),
    ),
    "large arguments": (
        json.dumps({"jsonrpc": "2.0", "method": "size", "params": ["x" * 2**20], "id": 1}),
        *(-32003, 1),
    ),
    "a message of 9 MiB": (
        json.dumps({"jsonrpc": "2.0", "method": "size", "params": ["x" * (9 << 20)], "id": 1}),
        *(-32003, 1),
    ),
}
NO_METHODS = (
    *("unknown", "init", "upgrade", "constructor", "__proto__", "push", "list", "toString"),
    *("hasOwnProperty", "prototype", "exports.ok", "ok ", "ö", "\0", "x" * 10_000, "\ud800"),
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with one_server(tmp_path_factory.mktemp("bad_requests")) as server:
        yield server


@pytest.fixture(autouse=True)
def afterwards_a_normal_call_works(shared: Shared) -> Iterator[None]:
    yield
    shared.is_well()


@asynccontextmanager
async def connected(shared: Shared) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(shared.websocket, protocols=(SUBPROTOCOL,), max_msg_size=0) as wire,
    ):
        yield wire


async def received(wire: aiohttp.ClientWebSocketResponse) -> Any:
    return json.loads(await wire.receive_str(timeout=PATIENCE_S))


def call(method: str, request_id: object, *arguments: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": arguments, "id": request_id})


@pytest.mark.parametrize("name", BAD_REQUESTS)
async def test_a_bad_request_is_answered_and_the_connection_goes_on(
    shared: Shared, name: str
) -> None:
    text, code, request_id = BAD_REQUESTS[name]
    async with connected(shared) as wire:
        await wire.send_str(text)
        answer = await received(wire)
        assert (answer["error"]["code"], answer["id"]) == (code, request_id)
        await wire.send_str(call("ok", "then"))
        shared.logged.append("ok")
        assert (await received(wire))["result"] > 0


@pytest.mark.parametrize("method", NO_METHODS)
async def test_only_what_the_script_exports_is_called(shared: Shared, method: str) -> None:
    async with connected(shared) as wire:
        await wire.send_str(call(method, 1))
        assert await received(wire) == {
            "jsonrpc": "2.0",
            "error": {"code": -32601, "message": "Method not found"},
            "id": 1,
        }


async def test_a_binary_frame_is_refused(shared: Shared) -> None:
    async with connected(shared) as wire:
        await wire.send_bytes(call("ok", 1).encode())
        error = (await received(wire))["error"]
        assert (error["code"], error["data"]) == (-32600, "Messages must be text frames.")


async def test_what_is_not_utf_8_closes_with_1007(shared: Shared) -> None:
    async with connected(shared) as wire:
        await wire.send_frame(b'"\xff"', WSMsgType.TEXT)
        assert (await wire.receive(timeout=PATIENCE_S)).data == 1007


async def test_a_message_beyond_everything_closes_with_1009(shared: Shared) -> None:
    async with connected(shared) as wire:
        await wire.send_str("x" * (17 << 20))
        message = await wire.receive(timeout=PATIENCE_S)
        assert (message.data, message.extra) == (
            1009,
            "A message may have at most 16,777,216 bytes.",
        )


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 200, -32700),
        (b"\xff", "application/json", 400, -32700),
        (call("ok", 1).encode(), "text/plain", 415, -32700),
        (b"x" * (9 << 20), "application/json", 413, -32003),
        (call("init", 1).encode(), "application/json", 200, -32601),
    ],
)
def test_a_bad_post_is_answered(
    shared: Shared, body: bytes, content_type: str, status: int, code: int
) -> None:
    found, answer = shared.post(body, content_type)
    assert (found, answer["error"]["code"]) == (status, code)


def test_a_name_without_debug_is_refused(shared: Shared) -> None:
    status, answer = shared.post(call("ok", 1).encode(), Authorization="Basic Ym9iOg==")
    assert (status, answer["error"]["code"]) == (403, -32001)


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_a_web_page_is_refused(shared: Shared, headers: dict[str, str]) -> None:
    status, answer = shared.post(call("ok", 1).encode(), **headers)
    assert (status, answer["error"]["code"]) == (403, "forbidden")


async def test_a_flood_is_cut_at_the_queue_and_every_call_is_answered_once(shared: Shared) -> None:
    async with connected(shared) as wire:
        await wire.send_str(call("spin", "first", 5_000_000))
        for number in range(10_000):
            await wire.send_str(call("ok", number))
        answers = [await received(wire) for _ in range(10_001)]
    accepted = [answer for answer in answers if "result" in answer]
    refused = [answer for answer in answers if "error" in answer]
    assert len(accepted) > 1000
    assert {json.dumps(answer["error"]) for answer in refused} == {
        json.dumps({"code": -32002, "message": QUEUE_FULL, "data": QUEUE_FULL})
    }
    assert Counter(answer["id"] for answer in answers) == Counter(["first", *range(10_000)])
    assert [a["result"] for a in accepted] == sorted(a["result"] for a in accepted)
    assert [a["seq"] for a in accepted] == sorted(a["seq"] for a in accepted)
    shared.logged += ["spin", *["ok"] * (len(accepted) - 1)]


def frame(text: str) -> bytes:
    """A client's WebSocket frame of less than 126 bytes; its mask is zero."""
    return bytes((0x81, 0x80 | len(text))) + bytes(4) + text.encode()


def opened(shared: Shared) -> socket.socket:
    """A raw connection on which the WebSocket handshake is done."""
    raw = socket.create_connection(("127.0.0.1", shared.server.port), timeout=PATIENCE_S)
    raw.sendall(
        f"GET / HTTP/1.1\r\nHost: {shared.server.address}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += raw.recv(1)
    return raw


def reset(raw: socket.socket) -> None:
    """End a connection as a crashed client does."""
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


def test_a_client_that_goes_in_the_middle_of_a_message_is_forgotten(shared: Shared) -> None:
    raw = opened(shared)
    raw.sendall(frame(call("ok", 1))[:20])
    reset(raw)


def test_the_calls_of_a_client_that_is_gone_run_and_are_logged(shared: Shared) -> None:
    raw = opened(shared)
    raw.sendall(frame(call("ok", 1)) * 3)
    assert b'"result"' in raw.recv(1000)
    reset(raw)
    shared.logged += ["ok"] * 3


def test_a_client_that_goes_in_the_middle_of_a_body_is_forgotten(shared: Shared) -> None:
    raw = socket.create_connection(("127.0.0.1", shared.server.port), timeout=PATIENCE_S)
    raw.sendall(
        f"POST / HTTP/1.1\r\nHost: {shared.server.address}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{".encode()
    )
    reset(raw)


@pytest.mark.parametrize(
    "bytes_sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/9\r\n\r\n",
        b"GET /" + b"a" * 20_000,
        b"\0" * 99,
    ],
)
def test_what_is_no_http_is_answered_with_400_or_closed(shared: Shared, bytes_sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shared.server.port), timeout=PATIENCE_S) as raw:
        raw.sendall(bytes_sent)
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := raw.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        assert answer == b"" or answer.split(b" ")[1] == b"400"


def test_everything_is_logged_once_and_verifies(shared: Shared, tmp_path: Path) -> None:
    log = CallLog.open(shared.server.directory)
    names = [entry.call.methodName for entry in log.list() if isinstance(entry, Call)]
    log.close()
    assert names == shared.logged
    assert shared.server.log() == ""  # nobody can fill it
    done = nodevms("verify", shared.server.address, "--no-memory", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
