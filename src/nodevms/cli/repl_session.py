"""A prompt's session: JavaScript in our own engine, whose ``client`` calls the backend."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Final

from nodevms.errors import NodeVMSError
from nodevms.rpc import BlockingRPCClient, RemoteError
from nodevms.sandbox import Engine, Limits, Meter, Operation, Outcome, Sandbox
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.error_text import describe_error

LIMITS: Final = Limits(gas=20_000_000_000, console_bytes=16 * 1024 * 1024)


class EvaluationError(NodeVMSError):
    """The expression threw."""

    code = "expression"
    exit_code = 1


class _Host:
    """Answers the prompt's script: reads are calls of the backend, the console is the output."""

    def __init__(self, client: BlockingRPCClient) -> None:
        self._client = client
        self.printed: list[str] = []
        self.lost: NodeVMSError | None = None

    def call(self, operation: int, request: bytes, _meter: Meter) -> bytes:
        if operation == Operation.CONSOLE:
            self.printed.append(json.loads(request)[1])
            return b""
        if operation == Operation.SEED:
            return b"0" * 16
        method, arguments = json.loads(json.loads(request.partition(b"\0")[0])[1])
        return b'{"value":null}\0' + self._ask(method, arguments)

    def _ask(self, method: str, arguments: object) -> bytes:
        try:
            result = self._client.call_json(method, json.dumps(arguments))
        except RemoteError as error:
            return _failure(error.name or "Error", error.message)
        except NodeVMSError as error:
            self.lost = error
            return _failure("ConnectionError", str(error))
        return b"{}" if result is None else b'{"value":' + result + b"}"


def _failure(name: str, message: str) -> bytes:
    return json.dumps({"error": {"name": name, "message": message}}).encode()


class Session:
    """Evaluates one expression after the other; what they define stays.

    Args:
        client: A connected client.
        now: Milliseconds since 1970, for ``Date``.
    """

    def __init__(self, client: BlockingRPCClient, now: Callable[[], int]) -> None:
        self._host = _Host(client)
        self._now = now
        self._sandbox = Sandbox(Engine(), LIMITS)
        code = resources.files("nodevms.cli").joinpath("repl_script.js").read_text()
        self.methods: Final = tuple(client.info.methods) if client.info else ()
        on_engine_thread(lambda: self._sandbox.start(code, None, time_ms=now(), host=self._host))
        self._enter("connect", list(self.methods))

    def evaluate(self, source: str) -> str:
        """Run an expression and return what it shows; nothing for ``undefined``.

        Raises:
            EvaluationError: It threw.
            NodeVMSError: The connection was lost.
        """
        self._host.printed = []
        self._host.lost = None
        outcome = self._enter("evaluate", source)
        if self._host.lost is not None:
            raise self._host.lost
        if outcome.error is not None:
            raise EvaluationError(describe_error(outcome.error))
        return "\n".join(self._host.printed)

    def close(self) -> None:
        """Free the engine."""
        self._sandbox.close()

    def _enter(self, method: str, argument: object) -> Outcome:
        text = json.dumps([argument]).encode()
        return on_engine_thread(
            lambda: self._sandbox.call(
                method, text, caller=None, time_ms=self._now(), host=self._host
            )
        )
