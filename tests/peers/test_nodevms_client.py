"""nodevms-client@2.0.0 from npm, unmodified, against our server: every line of its wire.

One Node process runs all checks; each test serves a backend of its own: a script in our engine, or
where calls must wait or nothing may run, one whose answers are fixed.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from nodevms.rpc import Backend, RPCServer
from nodevms.sandbox import Engine
from nodevms.vm import VM
from nodevms.vm.entries import Call

sys.path.append(str(Path(__file__).parents[1] / "unit" / "rpc"))
from fixed_backend import FixedBackend

HERE = Path(__file__).parent
UNDEFINED = {"type": "undefined"}
SCRIPT = """
module.exports = {
  init: () => {},
  echo: (...all) => all,
  whoami: () => System.caller.id,
  nothing: () => {},
  buffer: () => Buffer.from([1, 2, 255]),
  tilde: () => '~foo',
  throwError: () => { throw new Error('boom') },
  throwEmpty: () => { throw new Error() },
  throwNamed: () => { throw Object.assign(new TypeError('~ no'), { code: 7 }) },
  throwString: () => { throw 'just a string' },
  throwObject: () => { throw { code: 7, foo: 'bar' } },
  throwUndefined: () => { throw undefined },
  throwNull: () => { throw null },
  throwFalse: () => { throw false },
  throwZero: () => { throw 0 },
  throwEmptyString: () => { throw '' },
  notAFunction: 5
}
"""
FULL = "Too many active requests. Try again in a few minutes."


def value(json_value: object) -> dict[str, object]:
    return {"type": "json", "value": json_value}


class Node:
    """The Node process; a thread takes its answers, so that the server can serve meanwhile."""

    def __init__(self) -> None:
        bin_folder = Path(sys.executable).parent / "node"
        program = str(bin_folder) if bin_folder.exists() else shutil.which("node")
        assert program, "node is not installed"
        self._process = subprocess.Popen(
            [program, str(HERE / "client_checks.js")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ids = count()
        self._ends: dict[int, Future[dict[str, Any]]] = {}
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    async def step(self, step: str, **options: object) -> dict[str, Any]:
        """Run a step and return how it ended: ``{"resolved": …}`` or ``{"rejected": …}``."""
        identity = next(self._ids)
        end = self._ends[identity] = Future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"id": identity, "step": step, **options}) + "\n")
        self._process.stdin.flush()
        return await asyncio.wait_for(asyncio.wrap_future(end), 20)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            self._ends.pop(answer.pop("id")).set_result(answer)

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._reader.join()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    process = Node()
    yield process
    process.end()


@pytest.fixture
async def vm(engine: Engine, tmp_path: Path) -> AsyncIterator[VM]:
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "backend", title="a ~ title")
    yield vm
    await vm.close()


def calls_of(vm: VM) -> list[tuple[str, bytes, str | None]]:
    entries = [entry for entry in vm.call_log.list() if isinstance(entry, Call)]
    return [(e.call.methodName, bytes(e.call.args), e.call.userId) for e in entries]


class Client:
    """One nodevms-client in the Node process."""

    _names = count()

    def __init__(self, node: Node, url: str) -> None:
        self.url = url
        self._node = node
        self._name = str(next(self._names))

    async def step(self, step: str, **options: object) -> dict[str, Any]:
        return await self._node.step(step, name=self._name, url=self.url, **options)

    async def call(self, method: str, *arguments: object) -> dict[str, Any]:
        return await self.step("call", method=method, args=arguments)


@asynccontextmanager
async def connected(
    node: Node, backend: Backend, opts: object = None, path: str = ""
) -> AsyncIterator[Client]:
    server = RPCServer({path or "/": backend}, port=0)
    await server.start()
    client = Client(node, f"ws://localhost:{server.port}{path}")
    try:
        assert await client.step("connect", opts=opts) == {"resolved": UNDEFINED}
        yield client
        await client.step("close")
    finally:
        await server.stop(1.0)


async def test_the_handshake_fills_the_client(node: Node, vm: VM) -> None:
    async with connected(node, vm) as client:
        info = (await client.step("info"))["resolved"]["value"]
        assert info["callLogUrl"] == vm.call_log_url
        assert info["filesArchiveUrl"] == vm.files_archive_url
        assert info["methods"] == [method.name for method in vm.methods]
        assert "echo" in info["methods"]
        assert info["title"] == "a ~ title"
        assert (await client.step("has", method="echo"))["resolved"] == value(True)
        for name in ("init", "push", "constructor", "notAFunction"):
            assert (await client.step("has", method=name))["resolved"] == value(False)


async def test_arguments_and_results_are_json(node: Node, vm: VM) -> None:
    async with connected(node, vm) as client:
        arguments = [1, "two", {"three": [3]}, None]
        assert await client.call("echo", *arguments) == {"resolved": value(arguments)}
        assert await client.call("echo") == {"resolved": value([])}
        assert await client.call("nothing") == {"resolved": UNDEFINED}
        assert await client.call("buffer") == {
            "resolved": value({"type": "Buffer", "data": [1, 2, 255]})
        }
    assert calls_of(vm)[0] == ("echo", b'[1,"two",{"three":[3]},null]', None)


async def test_nobody_is_null(node: Node, vm: VM) -> None:
    async with connected(node, vm) as client:
        assert await client.call("whoami") == {"resolved": value(None)}


@pytest.mark.parametrize(
    "text", ["~foo", "~", "a~b~c", "\\x7e", "~\\x7e\\\\x7e", "😀~é", "\ud800~", "\\~"]
)
async def test_tildes_arrive_as_they_are(node: Node, vm: VM, text: str) -> None:
    async with connected(node, vm) as client:
        nested = [text, {text: [text], "k": {"": text}}]
        assert await client.call("echo", *nested) == {"resolved": value(nested)}


@pytest.mark.parametrize(
    ("method", "rejected"),
    [
        ("throwError", {"code": -32000, "message": "Error", "data": "boom"}),
        ("throwEmpty", {"code": -32000, "message": "Error", "data": ""}),
        ("throwNamed", {"code": -32000, "message": "TypeError", "data": "~ no", "errorCode": 7}),
        ("throwString", "just a string"),
        ("throwObject", {"code": 7, "foo": "bar"}),
        ("throwUndefined", {"code": -32006, "message": "The script threw undefined"}),
        ("throwNull", {"code": -32006, "message": "The script threw null", "data": None}),
        ("throwFalse", {"code": -32006, "message": "The script threw false", "data": False}),
        ("throwZero", {"code": -32006, "message": "The script threw 0", "data": 0}),
        ("throwEmptyString", {"code": -32006, "message": 'The script threw ""', "data": ""}),
    ],
)
async def test_what_the_script_throws_rejects(
    node: Node, vm: VM, method: str, rejected: object
) -> None:
    async with connected(node, vm) as client:
        assert await client.call(method) == {"rejected": value(rejected)}
        assert await client.call("echo", 1) == {"resolved": value([1])}


@pytest.mark.parametrize(
    "method", ["nope", "init", "push", "constructor", "__proto__", "rpc.on", "notAFunction"]
)
async def test_other_names_are_not_found_and_never_run(node: Node, vm: VM, method: str) -> None:
    async with connected(node, vm) as client:
        for params in (None, []):
            options = {"method": method} if params is None else {"method": method, "params": params}
            assert await client.step("raw", **options) == {
                "rejected": value({"code": -32601, "message": "Method not found"})
            }
    assert calls_of(vm) == []


@pytest.mark.parametrize(
    ("text", "code", "identity"),
    [
        ("not JSON", -32700, None),
        ("[]", -32600, None),
        ('{"method":"echo","id":1}', -32600, 1),
        ('{"jsonrpc":"2.0","id":2}', -32602, 2),
        ('{"jsonrpc":"2.0","method":"echo","params":"text","id":3}', -32600, 3),
        ('{"jsonrpc":"2.0","method":"echo","params":{"a":1},"id":4}', -32602, 4),
    ],
)
async def test_malformed_requests(
    node: Node, vm: VM, text: str, code: int, identity: object
) -> None:
    async with connected(node, vm) as client:
        answer = json.loads((await client.step("text", text=text))["resolved"]["value"])
        assert (answer["jsonrpc"], answer["error"]["code"], answer["id"]) == ("2.0", code, identity)
        if code == -32700:
            assert answer["error"]["message"] == "Parse error"
            assert isinstance(answer["error"]["data"], str)


async def test_the_wire_is_the_captured_one(node: Node, vm: VM) -> None:
    async with connected(node, vm) as client:
        for request, answer in (
            (
                '{"jsonrpc":"2.0","method":"echo","params":[1,"two",{"three":[3]},null],"id":2}',
                '{"jsonrpc":"2.0","result":[1,"two",{"three":[3]},null],"id":2}',
            ),
            (
                '{"jsonrpc":"2.0","method":"nope","params":null,"id":3}',
                '{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":3}',
            ),
            (
                '{"jsonrpc":"2.0","method":"nothing","params":null,"id":4}',
                '{"jsonrpc":"2.0","id":4}',
            ),
            (
                '{"jsonrpc":"2.0","method":"throwError","params":[],"id":6}',
                '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Error","data":"boom"},"id":6}',
            ),
            (
                '{"jsonrpc":"2.0","method":"throwString","params":[],"id":9}',
                '{"jsonrpc":"2.0","error":"just a string","id":9}',
            ),
            (
                '{"jsonrpc":"2.0","method":"throwObject","params":[],"id":10}',
                '{"jsonrpc":"2.0","error":{"code":7,"foo":"bar"},"id":10}',
            ),
            (
                '{"jsonrpc":"2.0","method":"tilde","params":[],"id":11}',
                '{"jsonrpc":"2.0","result":"\\\\x7efoo","id":11}',
            ),
            (
                '[{"jsonrpc":"2.0","method":"echo","params":[1],"id":1},'
                '{"jsonrpc":"2.0","method":"nothing","id":2}]',
                '[{"jsonrpc":"2.0","result":[1],"id":1},{"jsonrpc":"2.0","id":2}]',
            ),
        ):
            assert await client.step("text", text=request) == {"resolved": value(answer)}


async def test_a_user_is_the_caller_in_debug_mode(
    node: Node, engine: Engine, tmp_path: Path
) -> None:
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "backend", debug=True)
    async with connected(node, vm, {"user": "bob"}, "/bob/counter") as client:
        assert await client.call("whoami") == {"resolved": value("bob")}
        by_header = Client(node, client.url.replace("ws://", "ws://carol:password@"))
        for opts, caller in ((None, "carol"), ({"user": "dave"}, "dave")):  # ?user= goes first
            await by_header.step("connect", opts=opts)
            assert await by_header.call("whoami") == {"resolved": value(caller)}
            await by_header.step("close")
    assert [userId for _, _, userId in calls_of(vm)] == ["bob", "carol", "dave"]
    await vm.close()


async def test_a_user_is_refused_readably_without_debug_mode(node: Node) -> None:
    server = RPCServer({"/": FixedBackend()}, port=0)
    await server.start()
    client = Client(node, f"ws://localhost:{server.port}")
    ended = await client.step("connect", opts={"user": "bob"})
    error = ended["rejected"]["value"]
    assert (error["code"], error["message"]) == (-32001, "Caller refused")
    assert "--debug" in error["data"]
    await client.step("close")
    await server.stop(1.0)


async def test_a_full_queue_rejects_with_the_originals_sentence(node: Node) -> None:
    backend = FixedBackend(held=True)
    async with connected(node, backend) as client:
        flood = asyncio.create_task(client.step("flood", method="echo", count=1_200))
        async with asyncio.timeout(10):
            while len(backend.calls) < 1_000:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await client.step("text", text="{}")
        backend.release()
        ends = (await flood)["resolved"]["value"]
    assert [end["resolved"]["value"] for end in ends[:1_000]] == [[n] for n in range(1_000)]
    assert {end["rejected"]["value"]["message"] for end in ends[1_000:]} == {FULL}
    assert len(ends) == 1_200


async def test_too_large_arguments_reject(node: Node) -> None:
    backend = FixedBackend()
    async with connected(node, backend) as client:
        for size in (1 << 20, 9 << 20):
            error = (await client.call("echo", "x" * size))["rejected"]["value"]
            assert error["code"] == -32003
            assert "1,048,576" in error["data"]
        assert await client.call("echo", 1) == {"resolved": value([1])}
    assert len(backend.calls) == 1


async def test_the_client_comes_back_after_a_restart(node: Node) -> None:
    first = RPCServer({"/": FixedBackend()}, port=0)
    await first.start()
    client = Client(node, f"ws://localhost:{first.port}")
    await client.step("connect")
    coming_back = asyncio.create_task(client.step("reconnect"))
    await client.step("info")
    second = RPCServer({"/": FixedBackend()}, port=first.port)
    await first.stop(1.0)
    await second.start()
    assert await coming_back == {"resolved": value("open")}
    assert await client.call("echo", 2) == {"resolved": value([2])}
    await client.step("close")
    await second.stop(1.0)


READ_ONLY = """
let n = 0
exports.add = () => ++n
exports.get = System.readonly(() => n)
exports.write = System.readonly(() => System.files.writeFile('/a', ''))
"""


async def test_read_only_methods_are_like_others(
    node: Node, engine: Engine, tmp_path: Path
) -> None:
    vm = VM(READ_ONLY, engine=engine)
    await vm.deploy(dir=tmp_path / "read-only")
    try:
        async with connected(node, vm) as client:
            assert await client.call("add") == {"resolved": value(1)}
            assert await client.call("get") == {"resolved": value(1)}
            refused = await client.call("write")
            assert refused["rejected"]["value"]["message"] == "ReadOnlyError"
            assert vm.call_log.length == 2
    finally:
        await vm.close()
