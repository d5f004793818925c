"""Our own clients, against our server and against servers that misbehave."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from aiohttp import web
from fixed_backend import FixedBackend
from serving import Wire, called, connected, serving

from nodevms.errors import LocalProtocolError, UsageError
from nodevms.rpc import (
    BlockingRPCClient,
    CallOutcomeUnknownError,
    ConnectionFailedError,
    RemoteError,
    RPCClient,
    RPCServer,
)

LIMIT_SENTENCE = "Too many active requests. Try again in a few minutes."


def address(wire: Wire) -> str:
    return f"localhost:{wire.server.port}"


async def test_exports_become_methods() -> None:
    async with connected(FixedBackend()) as client:
        assert await client.echo(1, "two", {"three": [3]}, None) == [
            1,
            "two",
            {"three": [3]},
            None,
        ]
        assert await client.nothing() is None
        assert await client.call("tilde") == "~foo"
        assert client.info is not None
        assert (client.info.epoch, client.info.title) == (3, "a ~ fixed one")
        assert "echo" in dir(client)
        with pytest.raises(AttributeError, match="push"):
            client.push  # noqa: B018


async def test_json_text_is_not_touched_on_the_way() -> None:
    async with connected(FixedBackend()) as client:
        text = '[1.0,1e400,12345678901234567890,"\\ud800é"]'
        assert await client.call_json("echo", text) == text.encode()
        assert await client.call_json("precise") == b'[1.0,1e400,12345678901234567890,"\\ud800",-0]'
        assert await client.call_json("nothing") is None
        assert await client.call("echo", "\ud800") == ["\ud800"]
        answer = await client.request("echo")
        assert (answer.seq, answer.epoch) == (5, 3)


async def test_calls_may_overlap() -> None:
    backend = FixedBackend(held=True)
    async with connected(backend) as client:
        calls = [asyncio.create_task(client.echo(number)) for number in range(50)]
        await called(backend, 50)
        backend.release(backwards=True)
        assert await asyncio.gather(*calls) == [[number] for number in range(50)]


@pytest.mark.parametrize(
    ("method", "name", "message", "code", "data", "error_code"),
    [
        ("throwError", "Error", "boom", "thrown", "boom", None),
        ("throwNamed", "TypeError", "~ no", "thrown", "~ no", 7),
        ("throwLimit", "LimitError", "Out of gas", "thrown", "Out of gas", "out-of-gas"),
        ("throwEmpty", "Error", "", "thrown", "", None),
        ("throwString", "ThrownValue", '"just a string"', "thrown-value", "just a string", None),
        (
            "throwObject",
            "ThrownValue",
            '{"code":7,"foo":"bar"}',
            "thrown-value",
            {"code": 7, "foo": "bar"},
            None,
        ),
        ("throwUndefined", "The script threw undefined", "", "thrown-value", None, None),
        ("throwZero", "The script threw 0", "", "thrown-value", 0, None),
    ],
)
async def test_what_the_script_throws_is_raised(
    method: str, name: str, message: str, code: str, data: object, error_code: object
) -> None:
    async with connected(FixedBackend()) as client:
        with pytest.raises(RemoteError) as raised:
            await client.call(method)
    error = raised.value
    assert (error.name, error.message, error.code) == (name, message, code)
    assert (error.data, error.error_code, error.seq) == (data, error_code, 1)


async def test_what_the_server_refuses_is_raised() -> None:
    async with connected(FixedBackend(queue_max=0)) as client:
        with pytest.raises(RemoteError, match="Method not found") as raised:
            await client.call("constructor")
        assert (raised.value.code, raised.value.rpc_code) == ("unknown-method", -32601)
        assert raised.value.seq is None
        with pytest.raises(RemoteError, match=LIMIT_SENTENCE) as raised:
            await client.echo()
        assert raised.value.code == "queue-full"
        with pytest.raises(RemoteError, match=r"1,\d\d\d,\d\d\d bytes") as raised:
            await client.echo("x" * (1 << 20))
        assert raised.value.code == "limit-exceeded"


async def test_users() -> None:
    async with serving({"/": FixedBackend(), "/debug": FixedBackend(debug=True)}) as wire:
        async with await RPCClient().connect(f"{address(wire)}/debug", user="b&ö") as client:
            assert await client.whoami() == "b&ö"
        with pytest.raises(RemoteError, match="--debug") as raised:
            await RPCClient().connect(address(wire), user="bob")
        assert raised.value.code == "caller"


@pytest.mark.parametrize("argument", [float("nan"), {1, 2}, b"bytes", object()])
async def test_arguments_that_are_not_json_are_not_sent(argument: object) -> None:
    backend = FixedBackend()
    async with connected(backend) as client:
        with pytest.raises(UsageError, match="echo"):
            await client.echo(argument)
        for text in ("", "1", "{}", "[1", "[01]", "[]]"):
            with pytest.raises(UsageError, match="JSON array"):
                await client.call_json("echo", text)
    assert backend.calls == []


async def test_nobody_there() -> None:
    server = RPCServer({"/": FixedBackend()}, port=0)
    await server.start()
    url = f"127.0.0.1:{server.port}"
    await server.stop()
    with pytest.raises(ConnectionFailedError, match=url) as failed:
        await RPCClient().connect(url)
    assert failed.value.exit_code == 3
    with pytest.raises(ConnectionFailedError):
        await RPCClient().call("echo")


async def test_a_server_that_refuses_says_why() -> None:
    async with serving({"/bob": FixedBackend()}) as wire:
        with pytest.raises(ConnectionFailedError, match=r"HTTP 404, Nothing is served"):
            await RPCClient().connect(address(wire))


async def test_a_client_connects_once() -> None:
    async with connected(FixedBackend()) as client:
        with pytest.raises(LocalProtocolError):
            await client.connect("localhost:5555")


async def test_a_lost_connection_leaves_outcomes_unknown_and_sends_nothing_again() -> None:
    backend = FixedBackend(held=True)
    async with serving(backend) as wire:
        async with await RPCClient().connect(address(wire)) as client:
            call = asyncio.create_task(client.echo())
            await called(backend)
            await wire.server.stop(0.0)
            with pytest.raises(CallOutcomeUnknownError, match="may or may not have run") as lost:
                await call
            assert "1001" in str(lost.value)
            assert "not sent again" in str(lost.value.hint)
            with pytest.raises(ConnectionFailedError, match="1001"):
                await client.echo()
        backend.release()
    assert len(backend.calls) == 1


async def test_closing_ends_waiting_calls() -> None:
    backend = FixedBackend(held=True)
    async with serving(backend) as wire:
        client = await RPCClient().connect(address(wire))
        call = asyncio.create_task(client.echo())
        await called(backend)
        await client.close()
        with pytest.raises(CallOutcomeUnknownError, match="closed"):
            await call
        await client.close()
        backend.release()


async def test_a_call_times_out_with_its_outcome_unknown() -> None:
    backend = FixedBackend(held=True)
    async with connected(backend, timeout_seconds=0.2) as client:
        with pytest.raises(CallOutcomeUnknownError, match=r"0\.2 seconds"):
            await client.echo()
        backend.release()
        backend._held = False
        assert await client.echo("later") == ["later"]


@pytest.mark.parametrize(
    "text",
    ["not JSON", '{"id":1}', '{"id":1,"result":{}}', '{"id":1,"result":{"methods":7}}', "[" * 9000],
)
async def test_a_server_that_talks_nonsense_is_no_nodevms_server(text: str) -> None:
    async def nonsense(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=["nodevms.v1+json"], compress=False)
        await socket.prepare(request)
        await socket.receive()
        await socket.send_str(text)
        await socket.receive()
        return socket

    async with _site(nonsense) as url:
        with pytest.raises((ConnectionFailedError, CallOutcomeUnknownError)):
            await RPCClient(timeout_seconds=2).connect(url)


async def test_a_server_of_another_kind_is_refused() -> None:
    async def other(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await socket.receive()
        return socket

    async with _site(other) as url:
        with pytest.raises(ConnectionFailedError, match=r"nodevms\.v1\+json"):
            await RPCClient(timeout_seconds=2).connect(url)


class _site:
    """A bare aiohttp server with one handler."""

    def __init__(self, handler: object) -> None:
        application = web.Application()
        application.router.add_get("/", handler)  # type: ignore[arg-type]
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)

    async def __aenter__(self) -> str:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        return f"{host}:{port}"

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()


@pytest.fixture
def served() -> Iterator[str]:
    """A server on a loop and thread of its own, for clients that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = RPCServer({"/": FixedBackend(debug=True)}, port=0)
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(5)
    try:
        yield f"localhost:{server.port}"
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(1.0), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_the_blocking_client_waits_for_answers(served: str) -> None:
    with BlockingRPCClient() as client:
        assert client.connect(served, user="bob") is client
        assert client.echo(1, 2) == [1, 2]
        assert client.call("whoami") == "bob"
        assert client.call_json("echo", "[1.0]") == b"[1.0]"
        assert client.info is not None
        assert "echo" in dir(client)
        with pytest.raises(RemoteError, match="boom"):
            client.throwError()
        with pytest.raises(AttributeError):
            client.push()
    client.close()


def test_the_blocking_client_fails_clearly() -> None:
    with BlockingRPCClient() as client:
        with pytest.raises(UsageError):
            client.connect("dat://x")
        with pytest.raises(ConnectionFailedError):
            client.call("echo")
        with pytest.raises(AttributeError):
            client.echo()
