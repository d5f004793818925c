"""Read-only calls on the wire, and a client that believes no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fixed_backend import FixedBackend
from serving import serving

from nodevms.errors import ProvedFalseError, RemoteProtocolError, UsageError
from nodevms.feed import EMPTY_HEAD, Head, KeyPair, Node, dat_url
from nodevms.feed.head_values import head_of
from nodevms.rpc import (
    Answer,
    BlockingRPCClient,
    CallOutcomeUnknownError,
    Method,
    RemoteError,
    RPCClient,
)
from nodevms.rpc.read_at import decode_read_at
from nodevms.sandbox import Engine
from nodevms.vm import VM
from nodevms.vm.requests import ReadAt

SCRIPT = """
let n = 0
exports.add = () => ++n
exports.get = System.readonly((first, second) => n)
exports.fail = System.readonly(() => { throw new TypeError('no') })
exports.seven = System.readonly(() => { throw { code: 7 } })
exports.nothing = System.readonly(() => {})
"""


@pytest.fixture
async def vm(engine: Engine, tmp_path: Path) -> AsyncIterator[VM]:
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "b")
    yield vm
    await vm.close()


def request(method: str, number: int = 1) -> bytes:
    return b'{"jsonrpc":"2.0","method":"%b","params":[],"id":%d}' % (method.encode(), number)


async def test_answers_say_what_they_were_computed_at(vm: VM) -> None:
    async with serving(vm) as wire:
        async with wire.post(request("add")) as response:
            assert (await response.json()).keys() == {"jsonrpc", "result", "id", "seq", "epoch"}
        async with wire.post(request("get")) as response:
            answer = await response.json()
        assert answer.keys() == {"jsonrpc", "result", "id", "epoch", "readonly"}
        assert (answer["result"], answer["epoch"]) == (1, 0)
        readonly = answer["readonly"]
        assert readonly.keys() == {"filesVersion", "filesRoot", "time", "gas", "head"}
        head = head_of(readonly["head"])
        assert head == vm.call_log._feed.synced_head()
        async with wire.post(request("fail")) as response:
            answer = await response.json()
        assert answer["error"] == {"code": -32000, "message": "TypeError", "data": "no"}
        assert answer["readonly"]["head"] == readonly["head"]
        async with wire.post(request("nothing")) as response:
            assert (await response.json()).keys() == {"jsonrpc", "id", "epoch", "readonly"}


async def test_the_client_of_2017_gets_what_it_knows(vm: VM) -> None:
    async with serving(vm) as wire, wire.socket() as socket:
        await socket.send_str(request("get").decode())
        assert json.loads(await socket.receive_str()) == {"jsonrpc": "2.0", "result": 0, "id": 1}


async def test_a_batch_may_have_both_kinds(vm: VM) -> None:
    batch = b"[%b]" % b",".join(
        request(method, at) for at, method in enumerate(["add", "get", "add"])
    )
    async with serving(vm) as wire, wire.post(batch) as response:
        answers = await response.json()
    assert [answer["id"] for answer in answers] == [0, 1, 2]
    assert [answer.get("seq") for answer in answers] == [1, None, 2]
    assert answers[1]["result"] in (0, 1, 2)


async def test_handshake_and_discovery_name_the_read_only_methods(vm: VM) -> None:
    async with serving(vm) as wire:
        async with wire.session.get(wire.url()) as response:
            info = await response.json()
        assert info["methods"] == ["add", "get", "fail", "seven", "nothing"]
        assert info["readonly"] == ["get", "fail", "seven", "nothing"]
        async with wire.post(request("rpc.discover")) as response:
            methods = (await response.json())["result"]["methods"]
    assert [method.get("x-readonly") for method in methods] == [None, True, True, True, True]
    assert [name["name"] for name in methods[1]["params"]] == ["first", "second"]


async def test_the_client_gives_the_whole_answer(vm: VM) -> None:
    async with serving(vm) as wire, RPCClient() as client:
        await client.connect(wire.url())
        assert await client.add() == 1
        answer = await client.call_readonly("get", 1, "two")
        assert (answer.value, answer.length, answer.epoch) == (1, 2, 0)
        assert (answer.method, answer.arguments, answer.user) == ("get", b'[1,"two"]', None)
        assert answer.key == vm.call_log.key
        assert await client.get() == 1
        assert (await client.call_readonly("nothing")).value is None
        raw = await client.request("get", b"[]")
        assert (raw.seq, raw.read_at) == (None, replace(answer.read_at, gas=raw.read_at.gas))  # type: ignore[union-attr]
        spaced = await client.call_readonly_json("get", '[ 1 , "a b" ]')
        assert spaced.arguments == b'[1,"a b"]'
        for method, code in (("fail", "thrown"), ("seven", "thrown-value")):
            with pytest.raises(RemoteError) as caught:
                await client.call_readonly(method)
            assert (caught.value.code, caught.value.seq) == (code, None)
            assert caught.value.answer is not None
            assert caught.value.answer.read_at.head == answer.read_at.head
        with pytest.raises(UsageError, match="no read-only method"):
            await client.call_readonly("add")
        with pytest.raises(UsageError, match="JSON array"):
            await client.call_readonly_json("get", "{}")
        assert vm.call_log.length == 2


async def test_the_blocking_client_does_too(vm: VM) -> None:
    async with serving(vm) as wire:

        def work() -> None:
            with BlockingRPCClient() as client:
                client.connect(wire.url())
                assert client.call_readonly("get").value == 0
                assert client.call_readonly_json("get", "[1]").arguments == b"[1]"

        await asyncio.to_thread(work)


KEYS = KeyPair.generate()


class Liar(FixedBackend):
    """Answers `get` with what it was told, whatever that is."""

    call_log_url = dat_url(KEYS.public)

    def __init__(self, read_at: ReadAt | None) -> None:
        super().__init__()
        self.methods = [Method("get", (), readonly=True)]
        self._read_at = read_at

    def call(self, method: str, arguments: bytes, caller: str | None) -> asyncio.Future[Answer]:
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        future.set_result(Answer(b"1", None, None, 0, read_at=self._read_at))
        return future


ROOT = Node(0, b"\1" * 32, 10)
UNSIGNED = Head(1, 10, (ROOT,), bytes(64))
SIGNED = replace(UNSIGNED, signature=KEYS.sign(UNSIGNED.root_hash))


def read_at(head: Head) -> ReadAt:
    return ReadAt(head, 1, 0, "00" * 32, 5, None)


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (SIGNED, None),
        (UNSIGNED, ProvedFalseError),
        (replace(SIGNED, length=2), ProvedFalseError),
        (replace(SIGNED, byte_length=11), ProvedFalseError),
        (None, RemoteProtocolError),
        (EMPTY_HEAD, CallOutcomeUnknownError),
    ],
)
async def test_a_head_that_nobody_signed_is_refused(
    head: Head | None, error: type[Exception] | None
) -> None:
    liar = Liar(None if head is None else read_at(head))
    async with serving(liar) as wire, RPCClient(timeout_seconds=5) as client:
        await client.connect(wire.url())
        if error is None:
            assert (await client.call_readonly("get")).value == 1
        else:
            with pytest.raises(error):
                await client.call_readonly("get")


MALFORMED: list[Any] = [
    1,
    [],
    {},
    {"filesVersion": 0},
    {"filesVersion": -1, "filesRoot": "00" * 32, "time": 0, "gas": 0, "head": {}},
    {"filesVersion": 0, "filesRoot": "00", "time": 0, "gas": 0, "head": {}},
    {"filesVersion": 0, "filesRoot": "00" * 32, "time": 0, "gas": 0, "head": {}},
    {"filesVersion": 0, "filesRoot": "00" * 32, "time": 0, "gas": 0, "head": None},
    {"filesVersion": 0, "filesRoot": "00" * 32, "time": 0, "gas": 0, "seed": 5, "head": {}},
]


@pytest.mark.parametrize("value", MALFORMED)
def test_what_says_nothing_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r".") as caught:  # msgspec's errors are ValueErrors
        decode_read_at(json.dumps(value).encode())
    assert type(caught.value).__module__ == "msgspec"
