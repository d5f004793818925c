"""Stopping: every accepted call is answered and logged, whatever clients and scripts do."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from command_line import PATIENCE_S, Server, in_process, nodevms_command, serving, start

from nodevms.rpc.connection import SUBPROTOCOL
from nodevms.vm import CallLog
from nodevms.vm.entries import Call, Restart

SLOW = str(Path(__file__).with_name("slow_backend.js"))
LONG = 1_000_000
"""Loops that take long enough for the rest to wait."""
MUCH_GAS = ("--limit", "gas=10000000000")


def calls_of(directory: Path) -> list[tuple[object, ...]]:
    """The method and the first argument of each call in a log."""
    log = CallLog.open(directory)
    calls = [entry.call for entry in log.list() if isinstance(entry, Call)]
    log.close()
    return [(call.methodName, *json.loads(bytes(call.args))[:1]) for call in calls]


def request(method: str, request_id: int, *arguments: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": arguments, "id": request_id})


async def until_logged(server: Server, text: str) -> None:
    """Wait until the server has written something."""
    async with asyncio.timeout(PATIENCE_S):
        while text not in server.log():  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.01)


class Caller:
    """A client that sends many calls and notes every answer."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._session = aiohttp.ClientSession()
        self.answers: dict[int, Any] = {}
        self.close_code: int | None = None

    async def send(self, texts: list[str]) -> None:
        url = f"ws://{self._server.address}/"
        self._wire = await self._session.ws_connect(url, protocols=(SUBPROTOCOL,))
        for text in texts:
            await self._wire.send_str(text)

    async def read_to_the_end(self) -> None:
        async for message in self._wire:
            answer = json.loads(message.data)
            self.answers[answer["id"]] = answer
        self.close_code = self._wire.close_code
        await self._session.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_every_accepted_call_is_answered_logged_and_published(
    place: Path, number: signal.Signals
) -> None:
    with serving(SLOW, "--dir", "slow", *MUCH_GAS) as server:
        caller = Caller(server)
        texts = [request("work", 0, 0, LONG)]
        texts += [request("save", n, n, f"text {n}") for n in range(1, 300)]
        await caller.send(texts)
        await until_logged(server, "begins 0")
        server.process.send_signal(number)
        await caller.read_to_the_end()
        assert await asyncio.to_thread(server.process.wait, PATIENCE_S) == 0
    refused = {n for n, answer in caller.answers.items() if "error" in answer}
    assert all(caller.answers[n]["error"]["code"] == -32004 for n in refused)
    answered = [n for n in sorted(caller.answers) if n not in refused]
    assert caller.close_code == 1001
    assert set(caller.answers) == set(range(300))
    assert len(answered) > 1
    assert calls_of(place / "slow") == [("save" if n else "work", n) for n in answered]
    done = in_process("verify", "slow", "--json")
    assert json.loads(done.stdout)["filesLag"] == 0
    assert json.loads(done.stdout)["calls"] == len(answered)


async def test_a_second_signal_refuses_what_has_not_begun(place: Path) -> None:
    with serving(SLOW, "--dir", "slow", *MUCH_GAS) as server:
        caller = Caller(server)
        await caller.send([request("work", n, n, 5 * LONG) for n in range(50)])
        await until_logged(server, "begins 0")
        server.process.send_signal(signal.SIGTERM)
        await until_logged(server, "accepted calls are answered")
        server.process.send_signal(signal.SIGTERM)
        await caller.read_to_the_end()
        assert await asyncio.to_thread(server.process.wait, PATIENCE_S) == 0
        assert "refusing the calls that have not begun" in server.log()
    ran = [n for n, answer in caller.answers.items() if "result" in answer]
    assert set(caller.answers) == set(range(50))
    assert 1 <= len(ran) < 50
    for n in set(caller.answers) - set(ran):
        assert caller.answers[n]["error"]["code"] == -32004
    assert calls_of(place / "slow") == [("work", n) for n in ran]
    assert in_process("verify", "slow").exit_code == 0


def test_a_client_that_never_reads_does_not_hold_up_the_stop(place: Path) -> None:
    with serving(SLOW, "--dir", "slow", *MUCH_GAS) as server:
        raw = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
        raw.sendall(
            f"GET / HTTP/1.1\r\nHost: {server.address}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        text = request("large", 1).encode()
        raw.sendall((bytes((0x81, 0x80 | len(text))) + bytes(4) + text) * 20)
        assert raw.recv(1) == b"H"  # and nothing more is ever read
        assert server.stop() == 0
        raw.close()
    assert len(calls_of(place / "slow")) > 0
    assert in_process("verify", "slow").exit_code == 0


SLOW_INIT = """
exports.work = n => n
exports.init = async () => {
  console.log('init begins')
  await System.files.writeFile('/made', 'by init')
  for (let i = 0; i < 10000000; i++);
}
"""


@pytest.fixture
def slow_init(place: Path) -> str:
    (place / "slow.js").write_text(SLOW_INIT)
    return "slow.js"


async def test_a_stop_while_init_runs_waits_for_its_end(slow_init: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *nodevms_command("exec", slow_init, "-p", "0", *MUCH_GAS),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    assert b"init begins" in await process.stderr.readline()
    process.send_signal(signal.SIGINT)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    assert printed == b""
    with serving(slow_init):
        pass
    log = CallLog.open("slow")
    kinds = [type(entry).__name__ for entry in log.list()]
    log.close()
    assert kinds == ["Init", "Restart"]
    assert in_process("verify", "slow").exit_code == 0


def test_a_killed_server_starts_again(place: Path) -> None:
    server = start(SLOW, "--dir", "slow")
    server.process.kill()
    server.process.wait(PATIENCE_S)
    server.output.close()
    with serving(SLOW, "--dir", "slow") as again:
        assert again.log() == ""
    log = CallLog.open("slow")
    assert isinstance(log.get(1), Restart)
    log.close()
    assert in_process("verify", "slow").exit_code == 0
