"""A sample of the attacks on a real ``nodevms exec``, over WebSocket and HTTP at once.

Each call of the attack takes the other door than the one before it, and the second caller's call
beside it takes the door that is free.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from arena import CANARY, LIMITS, as_logged
from attack import Attack, Step, read_attacks
from command_line import PATIENCE_S, in_process, serving

from nodevms.rpc.connection import SUBPROTOCOL
from nodevms.vm import CallLog

ATTACKS = [attack for attack in read_attacks() if attack.process]
SAMPLE_MIN = 10
NO_METHOD = -32601

Called = tuple[str | None, str, str, Any]
"""Caller, method, arguments and the answer's ``result``, ``error`` or absence of both."""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: f"{a.kind}: {a.name}")
def test_a_real_server_lives_and_its_log_verifies(place: Path, attack: Attack) -> None:
    (place / "script.js").write_text(attack.code, newline="")
    (place / "secret").write_text("nobody reads this")
    limits = [f"--limit={name}={n}" for name, n in {**LIMITS, **attack.limits}.items()]
    called: list[Called] = []
    printed = ""
    for steps in _lives(attack.steps):
        with serving("script.js", "--debug", "--dir", "backend", *limits) as server:
            asyncio.run(_play(server.address, attack, steps, called))
            assert server.process.poll() is None, server.log()
            verified = in_process("verify", server.address, "--no-memory")
            assert verified.exit_code == 0, verified.output
            printed += server.log()
    assert "Traceback" not in printed
    assert printed.isprintable() or all(c.isprintable() or c in "\n\t" for c in printed)
    with CallLog.open(place / "backend") as log:
        entries = as_logged(list(log.list()))
    assert [
        (caller, method, json.loads(arguments), _value(result or error, absent=result is error))
        for caller, method, arguments, result, error, _ in entries
    ] == [
        (caller, method, json.loads(arguments), answer)
        for caller, method, arguments, answer in called
    ]
    names = {path.name for path in place.iterdir()} - {"state"}
    assert names == {"backend", "script.js", "secret"}
    assert (place / "secret").read_text() == "nobody reads this"


def test_the_sample_is_a_tenth() -> None:
    assert len(ATTACKS) >= SAMPLE_MIN


def _lives(steps: tuple[Step, ...]) -> list[list[Step]]:
    """Split the steps at the restarts."""
    lives: list[list[Step]] = [[]]
    for step in steps:
        if step.method is None:
            lives.append([])
        else:
            lives[-1].append(step)
    return lives


async def _play(address: str, attack: Attack, steps: list[Step], called: list[Called]) -> None:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        doors = (_over_websocket, _over_http)
        for number, step in enumerate(steps):
            assert step.method is not None
            calls = [(step.caller, step.method, step.arguments)]
            if attack.canary and step.how != "refused":
                calls.append((CANARY, "canary", f"[{number}]"))
            answers = await asyncio.gather(
                *(doors[(number + at) % 2](session, address, call) for at, call in enumerate(calls))
            )
            _check(step, answers[0])
            if len(answers) > 1:
                assert answers[1]["result"] == f"{CANARY}{number}"
            # Which door was the faster one, the log says.
            done = [pair for pair in zip(calls, answers, strict=True) if "seq" in pair[1]]
            for call, answer in sorted(done, key=lambda pair: pair[1]["seq"]):
                called.append((*call, _as_in_the_log(answer)))


async def _over_websocket(
    session: aiohttp.ClientSession, address: str, call: tuple[str | None, str, str]
) -> Any:
    caller, method, arguments = call
    async with session.ws_connect(
        f"ws://{address}/", params=_who(caller), protocols=(SUBPROTOCOL,)
    ) as wire:
        await wire.send_str(_request(method, arguments))
        return json.loads(await wire.receive_str(timeout=PATIENCE_S))


async def _over_http(
    session: aiohttp.ClientSession, address: str, call: tuple[str | None, str, str]
) -> Any:
    caller, method, arguments = call
    async with session.post(
        f"http://{address}/",
        params=_who(caller),
        data=_request(method, arguments).encode(),
        headers={"Content-Type": "application/json"},
    ) as response:
        return json.loads(await response.read())


def _who(caller: str | None) -> dict[str, str]:
    return {} if caller is None else {"user": caller}


def _request(method: str, arguments: str) -> str:
    return f'{{"jsonrpc":"2.0","method":{json.dumps(method)},"params":{arguments},"id":1}}'


def _check(step: Step, answer: Any) -> None:
    """Compare an answer on the wire with what must come of the step."""
    if step.how == "refused":
        assert answer["error"]["code"] == NO_METHOD
    elif step.how == "result":
        expected = "undefined" if step.expected == "undefined" else json.loads(step.expected)
        assert answer.get("result", "undefined") == expected
        assert "error" not in answer
    elif step.expected.startswith("ERR_"):
        assert answer["error"]["errorCode"] == step.expected
    else:
        assert _as_in_the_log(answer) == _value(step.expected.encode(), absent=False)


def _as_in_the_log(answer: Any) -> Any:
    """Return an answer's result, or its error as an entry has it."""
    error = answer.get("error", answer)
    if error is answer:
        return _value(None, absent=True) if "result" not in answer else answer["result"]
    if isinstance(error, dict) and error.get("code") == -32000:
        code = {"code": error["errorCode"]} if "errorCode" in error else {}
        return {"name": error["message"], "message": error["data"], **code}
    if isinstance(error, dict) and error.get("code") == -32006:
        return {"value": error["data"]} if "data" in error else {}
    return {"value": error}


def _value(text: bytes | None, *, absent: bool) -> Any:
    return {"no result": True} if absent else json.loads(text or b"null")
