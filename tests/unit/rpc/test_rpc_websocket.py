"""The server over raw WebSockets: what bad and good clients get, and that it lives on."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from contextlib import suppress

import aiohttp
import pytest
from fixed_backend import FixedBackend
from serving import Wire, called, request, serving

from nodevms.errors import NodeVMSError
from nodevms.rpc import Answer, Limits
from nodevms.rpc.codes import CODES

V1 = "nodevms.v1+json"
FULL = "Too many active requests. Try again in a few minutes."


async def ask(socket: aiohttp.ClientWebSocketResponse, message: str) -> object:
    await socket.send_str(message)
    return await asyncio.wait_for(socket.receive_json(), 5)


async def lives(wire: Wire) -> bool:
    async with wire.socket() as socket:
        answer = await ask(socket, request("echo", 1, ["still here"]))
        return bool(answer == {"jsonrpc": "2.0", "result": ["still here"], "id": 1})


async def test_the_handshake_answers_the_three_members_of_2017_and_ours() -> None:
    async with serving(FixedBackend()) as wire, wire.socket(protocols=[V1]) as socket:
        assert socket.protocol == V1
        answer = await ask(socket, request("handshake", 1, None))
        result = answer["result"]  # type: ignore[index]
        assert "echo" in result["methods"]
        assert result["callLogUrl"] == "dat://" + "ab" * 32
        assert result["filesArchiveUrl"] == "dat://" + "cd" * 32
        assert result["codeHash"] == "sha256:" + "ef" * 32
        assert (result["debug"], result["epoch"]) == (False, 3)
        assert result["title"] == "a ~ fixed one"
        assert result["version"]


async def test_only_our_subprotocol_names_entries_and_leaves_tildes() -> None:
    async with serving(FixedBackend()) as wire:
        async with wire.socket() as old:
            await old.send_str(request("tilde", "~"))
            text = await old.receive_str()
            assert text == '{"jsonrpc":"2.0","result":"\\\\x7efoo","id":"\\\\x7e"}'
        async with wire.socket(protocols=["other", V1]) as new:
            await new.send_str(request("tilde", "~"))
            text = await new.receive_str()
            assert text == '{"jsonrpc":"2.0","result":"~foo","id":"~","seq":2,"epoch":3}'


async def test_numbers_and_surrogates_pass_through_untouched() -> None:
    backend = FixedBackend()
    async with serving(backend) as wire, wire.socket(protocols=[V1]) as socket:
        params = '[1.0, 1e400, 12345678901234567890, "\\ud800 é"]'
        await socket.send_str(f'{{"jsonrpc":"2.0","method":"echo","params":{params},"id":1.50}}')
        text = await socket.receive_str()
        compacted = params.replace(", ", ",")
        assert text == f'{{"jsonrpc":"2.0","result":{compacted},"id":1.50,"seq":1,"epoch":3}}'
        assert backend.calls == [("echo", compacted.encode(), None)]


@pytest.mark.parametrize("name", ["init", "constructor", "__proto__", "push", "toString", "rpc.on"])
async def test_only_exports_can_be_called(name: str) -> None:
    backend = FixedBackend()
    async with serving(backend) as wire, wire.socket() as socket:
        answer = await ask(socket, request(name))
        error = {"code": -32601, "message": "Method not found"}
        assert answer == {"jsonrpc": "2.0", "error": error, "id": 1}
    assert backend.calls == []


async def test_discover_is_openrpc_with_parameter_names() -> None:
    async with serving(FixedBackend()) as wire, wire.socket() as socket:
        answer = await ask(socket, request("rpc.discover"))
        document = answer["result"]  # type: ignore[index]
        assert document["openrpc"].startswith("1.3")
        (echo,) = [method for method in document["methods"] if method["name"] == "echo"]
        assert echo["paramStructure"] == "by-position"
        assert [parameter["name"] for parameter in echo["params"]] == ["first", "second"]


async def test_exports_cannot_stand_in_for_the_servers_own_methods() -> None:
    backend = FixedBackend(texts={"handshake": (b'"mine"', None)})
    async with serving(backend) as wire, wire.socket() as socket:
        answer = await ask(socket, request("handshake"))
        assert "handshake" not in answer["result"]["methods"]  # type: ignore[index]
        assert backend.calls == []


async def test_a_batch_is_answered_in_order_whatever_the_order_of_its_ends() -> None:
    backend = FixedBackend(held=True)
    async with serving(backend) as wire, wire.socket(protocols=[V1]) as socket:
        items = [request("echo", n, [n]) for n in (1, 2)] + ["7", request("nope", 3)]
        notification = '{"jsonrpc":"2.0","method":"echo","params":["note"]}'
        await socket.send_str(f"[{','.join([*items, notification])}]")
        await called(backend, 3)
        backend.release(backwards=True)
        answers = await socket.receive_json()
    assert [answer["id"] for answer in answers] == [1, 2, None, 3]
    assert [answer.get("result") for answer in answers] == [[1], [2], None, None]
    assert [arguments for _, arguments, _ in backend.calls] == [b"[1]", b"[2]", b'["note"]']


async def test_notifications_run_and_are_not_answered() -> None:
    backend = FixedBackend()
    async with serving(backend) as wire, wire.socket() as socket:
        notification = '{"jsonrpc":"2.0","method":"throwError"}'
        await socket.send_str(notification)
        await socket.send_str(f"[{notification},{notification}]")
        await socket.send_str('{"jsonrpc":"2.0","method":"nope"}')
        answer = await ask(socket, request("echo", "last"))
        assert answer == {"jsonrpc": "2.0", "result": [], "id": "last"}
    assert [name for name, _, _ in backend.calls] == ["throwError"] * 3 + ["echo"]


async def test_ten_thousand_pipelined_calls_meet_a_queue_of_a_thousand() -> None:
    backend = FixedBackend(held=True)
    async with serving(backend) as wire, wire.socket(protocols=[V1]) as socket:
        for number in range(10_000):
            await socket.send_str(request("echo", number, [number]))
        answers = [await socket.receive_json() for _ in range(9_000)]
        assert {answer["error"]["message"] for answer in answers} == {FULL}
        assert [answer["id"] for answer in answers] == list(range(1_000, 10_000))
        backend.release()
        served = [await socket.receive_json() for _ in range(1_000)]
        assert [answer["result"] for answer in served] == [[number] for number in range(1_000)]
        backend._held = False
        assert await lives(wire)


async def test_calls_of_a_client_that_disconnects_still_run() -> None:
    backend = FixedBackend(held=True)
    async with serving(backend) as wire:
        socket = await wire.socket()
        for number in range(3):
            await socket.send_str(request("echo", number))
        await called(backend, 3)
        socket._response.connection.transport.abort()
        await socket.close()
        backend.release()
        backend._held = False
        assert await lives(wire)
    assert len(backend.calls) == 4


@pytest.mark.parametrize(
    ("code", "number"),
    [("closed", -32004), ("outcome-unknown", -32005), ("caller", -32001), ("odd", -32603)],
)
async def test_what_a_backend_raises_becomes_an_error(code: str, number: int) -> None:
    backend = FixedBackend()
    backend.failures["fail"] = NodeVMSError("It is so.", code=code)
    async with serving(backend) as wire, wire.socket() as socket:
        error = (await ask(socket, request("fail")))["error"]  # type: ignore[index]
        assert (error["code"], error["message"]) == (number, CODES[number][1])
        assert error.get("data") == (None if number == -32603 else "It is so.")
        assert await lives(wire)


class LateBackend(FixedBackend):
    """Answers from a coroutine, and fails there."""

    async def call(self, method: str, arguments: bytes, caller: str | None) -> Answer:  # type: ignore[override]
        if method == "fail":
            raise self.failures["fail"]
        return await super().call(method, arguments, caller)


async def test_a_backend_may_answer_from_coroutines() -> None:
    backend = LateBackend()
    backend.failures["fail"] = RuntimeError("a bug with /a/path")
    async with serving(backend) as wire, wire.socket() as socket:
        assert await lives(wire)
        error = (await ask(socket, request("fail")))["error"]  # type: ignore[index]
        assert error == {"code": -32603, "message": "Internal error"}


async def test_binary_frames_get_an_error_and_the_connection_stays() -> None:
    async with serving(FixedBackend()) as wire, wire.socket() as socket:
        await socket.send_bytes(request("echo").encode())
        answer = await socket.receive_json()
        assert (answer["error"]["code"], answer["id"]) == (-32600, None)
        assert "text" in answer["error"]["data"]
        assert (await ask(socket, request("echo")))["result"] == []  # type: ignore[index]


@pytest.mark.parametrize("text", ["not JSON", "[]", "{}", "", "\x00", "[" * 100_000])
async def test_malformed_messages_get_errors_and_the_connection_stays(text: str) -> None:
    async with serving(FixedBackend()) as wire, wire.socket() as socket:
        answer = await ask(socket, text)
        assert "error" in answer  # type: ignore[operator]
        assert (await ask(socket, request("echo")))["result"] == []  # type: ignore[index]


async def test_invalid_utf8_closes_with_1007() -> None:
    async with serving(FixedBackend()) as wire, wire.socket() as socket:
        await socket.send_frame(b'{"jsonrpc":"2.0","id":"\xff"}', aiohttp.WSMsgType.TEXT)
        closed = await socket.receive()
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1007)
        assert "UTF-8" in closed.extra
        assert await lives(wire)


async def test_a_message_of_nine_mebibytes_gets_an_error_and_the_connection_stays() -> None:
    async with serving(FixedBackend()) as wire, wire.socket() as socket:
        answer = await ask(socket, request("echo", 9, ["x" * (9 << 20)]))
        assert answer["id"] == 9  # type: ignore[index]
        error = answer["error"]  # type: ignore[index]
        assert error["code"] == -32003
        assert "9,437," in error["data"]
        assert "1,048,576" in error["data"]
        assert (await ask(socket, request("echo")))["result"] == []  # type: ignore[index]


async def test_a_larger_message_closes_with_1009_and_says_why() -> None:
    async with serving(FixedBackend()) as wire, wire.socket() as socket:
        await socket.send_str("x" * (17 << 20))
        closed = await socket.receive()
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1009)
        assert "16,777,216" in closed.extra
        assert await lives(wire)


async def test_arguments_of_exactly_the_limit_are_called() -> None:
    backend = FixedBackend()
    async with serving(backend) as wire, wire.socket(protocols=[V1]) as socket:
        answer = await ask(socket, request("echo", 1, ["x" * ((1 << 20) - 4)]))
        assert len(answer["result"][0]) == (1 << 20) - 4  # type: ignore[index]
        answer = await ask(socket, request("echo", 1, ["x" * ((1 << 20) - 3)]))
        assert answer["error"]["code"] == -32003  # type: ignore[index]
    assert len(backend.calls) == 1


async def test_a_batch_whose_answers_are_too_large_keeps_those_that_fit() -> None:
    limits = Limits(answer_bytes_max=2_500_000)
    backend = FixedBackend()
    async with serving(backend, limits=limits) as wire, wire.socket(protocols=[V1]) as socket:
        batch = ",".join(request("big", number) for number in range(4))
        answers = await ask(socket, f"[{batch}]")
    assert [answer.get("error", {}).get("code") for answer in answers] == [  # type: ignore[attr-defined]
        None,
        None,
        -32007,
        -32007,
    ]
    assert [answer["id"] for answer in answers] == [0, 1, 2, 3]  # type: ignore[attr-defined]
    assert len(backend.calls) == 4


async def test_a_reader_that_takes_nothing_is_cut_off() -> None:
    limits = Limits(stall_seconds=0.2)
    backend = FixedBackend()
    async with serving(backend, limits=limits) as wire:
        reader, writer = await raw_socket(wire)
        for number in range(10):
            writer.write(masked(request("big", number).encode()))
        await called(backend, 10)
        writer.write(masked(request("echo").encode()) * 30)
        await cut(wire)
        assert (await rest(reader)).endswith(b"Answers unread for 0.2 seconds.")
        assert len(backend.calls) < 40
        writer.close()
        assert await lives(wire)


async def test_answers_that_pile_up_are_bounded() -> None:
    limits = Limits(outgoing_bytes_max=1_500_000, linger_seconds=0.2)
    backend = FixedBackend(held=True)
    async with serving(backend, limits=limits) as wire:
        reader, writer = await raw_socket(wire)
        for number in range(30):
            writer.write(masked(request("big", number).encode()))
        await called(backend, 30)
        backend.release()
        await cut(wire)
        assert len(await rest(reader)) < 30_000_000
        writer.close()
        backend._held = False
        assert await lives(wire)


async def test_small_requests_with_large_answers_are_not_answered_all_at_once() -> None:
    limits = Limits(stall_seconds=0.2, linger_seconds=0.2)
    backend = FixedBackend(texts={f"method{number}": (b"1", None) for number in range(3_000)})
    async with serving(backend, limits=limits) as wire:
        reader, writer = await raw_socket(wire)
        writer.write(masked(request("rpc.discover").encode()) * 400)
        await cut(wire)
        assert len(await rest(reader)) < 30_000_000
        writer.close()
        assert await lives(wire)


async def cut(wire: Wire) -> None:
    """Wait, reading nothing, until the server has given up."""
    async with asyncio.timeout(5):
        while wire.server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def rest(reader: asyncio.StreamReader) -> bytes:
    taken = []
    with suppress(ConnectionError):
        while data := await asyncio.wait_for(reader.read(1 << 16), 5):
            taken.append(data)
    return b"".join(taken)


async def test_a_silent_peer_is_pinged_and_then_closed() -> None:
    limits = Limits(heartbeat_seconds=0.2)
    async with serving(FixedBackend(), limits=limits) as wire:
        reader, writer = await raw_socket(wire)
        assert (await asyncio.wait_for(reader.readexactly(2), 5))[0] == 0x89
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert await lives(wire)


async def test_connections_are_counted() -> None:
    limits = Limits(connections_max=2)
    async with serving(FixedBackend(), limits=limits) as wire:
        async with wire.socket(), wire.socket():
            with pytest.raises(aiohttp.ClientError):
                await wire.socket()
        async with wire.socket() as socket:
            assert (await ask(socket, request("echo")))["result"] == []  # type: ignore[index]


async def test_stopping_answers_what_was_accepted_and_closes_with_1001() -> None:
    backend = FixedBackend(held=True)
    async with serving(backend) as wire:
        async with wire.socket() as socket:
            await socket.send_str(request("echo", 1))
            await called(backend, 1)
            post = asyncio.create_task(posted(wire, request("echo", 2)))
            await called(backend, 2)
            stopping = asyncio.create_task(wire.server.stop(5.0))
            await asyncio.sleep(0)
            refused = await ask(socket, request("echo", 3))
            assert refused["error"]["code"] == -32004  # type: ignore[index]
            assert not stopping.done()
            backend.release()
            assert (await socket.receive_json())["id"] == 1
            closed = await socket.receive()
            assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1001)
        await stopping
        assert (await post)["id"] == 2
        with pytest.raises(aiohttp.ClientError):
            await wire.socket()
    assert len(backend.calls) == 2


async def posted(wire: Wire, message: str) -> dict[str, object]:
    async with wire.post(message.encode()) as response:
        answer: dict[str, object] = await response.json()
        return answer


async def test_stopping_does_not_wait_for_ever() -> None:
    backend = FixedBackend(held=True)
    async with serving(backend) as wire, wire.socket() as socket:
        await socket.send_str(request("echo"))
        await called(backend, 1)
        async with asyncio.timeout(5):
            await wire.server.stop(0.05)
        assert (await socket.receive()).data == 1001
        backend.release()


@pytest.mark.parametrize(
    ("debug", "user", "seen"),
    [(True, "bob", "bob"), (True, "b%20%C3%B6", "b ö"), (True, "", None), (False, "", None)],
)
async def test_the_caller_is_who_the_url_says(debug: bool, user: str, seen: str | None) -> None:
    backend = FixedBackend(debug=debug)
    async with serving(backend) as wire, wire.socket(f"/?user={user}") as socket:
        assert (await ask(socket, request("whoami")))["result"] == seen  # type: ignore[index]
    assert backend.calls[0][2] == seen


async def test_the_caller_may_come_by_basic_auth() -> None:
    async with serving(FixedBackend(debug=True)) as wire:
        credentials = base64.b64encode(b"alice:any").decode()
        async with wire.socket(headers={"Authorization": f"Basic {credentials}"}) as socket:
            assert (await ask(socket, request("whoami")))["result"] == "alice"  # type: ignore[index]


@pytest.mark.parametrize(
    ("debug", "user", "word"),
    [(False, "bob", "--debug"), (True, "ab" * 32, "keys"), (True, "a%0Ab", "control")],
)
async def test_a_refused_caller_hears_why_on_every_request(
    debug: bool, user: str, word: str
) -> None:
    backend = FixedBackend(debug=debug)
    async with serving(backend) as wire, wire.socket(f"/?user={user}") as socket:
        for method in ("handshake", "echo"):
            error = (await ask(socket, request(method)))["error"]  # type: ignore[index]
            assert error["code"] == -32001
            assert word in error["data"]
    assert backend.calls == []


async def test_mounts_are_apart() -> None:
    one, two = FixedBackend(), FixedBackend(debug=True)
    async with serving({"/": one, "/bob/counter": two}) as wire:
        for path, backend in (("/", one), ("/bob/counter", two), ("/bob/counter/", two)):
            async with wire.socket(path) as socket:
                before = len(backend.calls)
                await ask(socket, request("echo"))
                assert len(backend.calls) == before + 1
        with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
            await wire.socket("/bob")


async def test_pages_of_other_origins_are_refused_before_the_upgrade() -> None:
    async with serving(FixedBackend(), allow_origins=["https://good.example"]) as wire:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:1"},
            {"Host": "evil.example"},
            {"Host": f"evil.example:{wire.server.port}", "Origin": "http://evil.example"},
        ):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await wire.socket(headers=headers)
            assert refused.value.status == 403
        for origin in ("https://good.example", f"http://127.0.0.1:{wire.server.port}"):
            async with wire.socket(headers={"Origin": origin}) as socket:
                assert (await ask(socket, request("echo")))["result"] == []  # type: ignore[index]


async def test_compression_is_not_negotiated() -> None:
    async with serving(FixedBackend()) as wire, wire.socket(compress=15) as socket:
        assert not socket.compress


async def raw_socket(wire: Wire) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.server.port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


def masked(payload: bytes) -> bytes:
    assert len(payload) < 1 << 16
    return struct.pack("!BBH", 0x81, 0x80 | 126, len(payload)) + bytes(4) + payload


async def test_fragmented_messages_are_put_together() -> None:
    async with serving(FixedBackend()) as wire:
        reader, writer = await raw_socket(wire)
        text = request("echo").encode()
        for first, part in ((0x01, text[:9]), (0x89, b""), (0x00, text[9:20]), (0x80, text[20:])):
            writer.write(bytes((first, 0x80 | len(part))) + bytes(4) + part)
        assert await reader.readexactly(2) == b"\x8a\x00"
        header = await reader.readexactly(2)
        assert json.loads(await reader.readexactly(header[1]))["result"] == []
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    "frame",
    [b"\xc1\x80\x00\x00\x00\x00", b"\x83\x80\x00\x00\x00\x00", b"\x81\xff" + b"\xff" * 8],
)
async def test_broken_frames_end_only_their_connection(frame: bytes) -> None:
    async with serving(FixedBackend(), limits=Limits(linger_seconds=0.2)) as wire:
        reader, writer = await raw_socket(wire)
        writer.write(frame)
        await asyncio.wait_for(reader.read(), 5)
        writer.close()
        assert await lives(wire)


class RecoveringBackend(FixedBackend):
    """Cannot even say its title while it opens its directory again."""

    is_recovering = False

    @property
    def title(self) -> str:  # type: ignore[override]
        if self.is_recovering:
            raise NodeVMSError("The backend is not running.", code="closed")
        return "recovered"


async def test_a_backend_that_recovers_leaves_the_server_serving() -> None:
    backend = RecoveringBackend()
    async with serving(backend) as wire, wire.socket() as socket:
        backend.is_recovering = True
        error = (await ask(socket, request("handshake")))["error"]  # type: ignore[index]
        assert (error["code"], error["data"]) == (-32004, "The backend is not running.")
        async with wire.session.get(wire.url()) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (503, "closed")
        backend.is_recovering = False
        answer = await ask(socket, request("handshake"))
        assert answer["result"]["title"] == "recovered"  # type: ignore[index]
