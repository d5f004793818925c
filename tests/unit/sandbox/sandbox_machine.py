"""A script in a sandbox with a host that keeps files in a dictionary."""

from __future__ import annotations

import json
from typing import Literal

from nodevms.sandbox import Engine, Limits, Meter, Operation, Outcome, Sandbox
from nodevms.vm.engine_thread import on_engine_thread

TIME_MS = 1_700_000_000_000


class DictHost:
    """Keeps files in memory and notes what was asked and printed.

    Attributes:
        charge: The gas that each file request costs.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[object] = []
        self.printed: list[tuple[str, str]] = []
        self.seeds = 0
        self.charge = 0

    def call(self, operation: int, request: bytes, meter: Meter) -> bytes:
        if operation == Operation.SEED:
            self.seeds += 1
            return b"0123456789abcdef"
        if operation == Operation.CONSOLE:
            level, text = json.loads(request)
            self.printed.append((level, text))
            return b""
        meter.charge(self.charge)
        text, zero, data = request.partition(b"\0")
        asked = json.loads(text)
        self.asked.append([*asked, data.decode("latin-1")] if zero else asked)
        name, *arguments = asked
        if name == "writeFile":
            self.files[arguments[0]] = data
        elif name == "readFile":
            if arguments[0] not in self.files:
                return b'{"error":{"name":"NotFoundError","message":"no such file"}}'
            return b'{"value":null}\0' + self.files[arguments[0]]
        elif name == "stat":
            return b'{"value":{"mode":33188,"size":2,"blocks":1,"mtime":5,"ctime":5}}'
        elif name == "readdir":
            names = sorted(self.files)
            return json.dumps(
                {
                    "value": [
                        {"name": n, "stat": {"mode": 0o40755, "mtime": 1, "ctime": 1}}
                        for n in names
                    ]
                    if arguments[1]["stat"]
                    else names
                }
            ).encode()
        return b'{"value":null}'


class Machine:
    """A started script whose calls run on a thread with the engine's stack."""

    def __init__(
        self,
        engine: Engine,
        code: str,
        limits: Limits,
        hook: Literal["init", "upgrade"] | None = None,
    ) -> None:
        self.host = DictHost()
        self.sandbox = Sandbox(engine, limits)
        self.started = on_engine_thread(
            lambda: self.sandbox.start(code, hook, time_ms=TIME_MS, host=self.host)
        )

    def call(
        self, method: str, *arguments: object, caller: str | None = None, time_ms: int = TIME_MS
    ) -> Outcome:
        """Run one call."""
        text = json.dumps(arguments).encode()
        return on_engine_thread(
            lambda: self.sandbox.call(method, text, caller=caller, time_ms=time_ms, host=self.host)
        )

    def value(self, method: str, *arguments: object, caller: str | None = None) -> object:
        """Run one call that must not fail, and return its result."""
        outcome = self.call(method, *arguments, caller=caller)
        assert outcome.error is None, outcome.error
        return None if outcome.result is None else json.loads(outcome.result)

    def error(self, method: str, *arguments: object) -> dict[str, object]:
        """Run one call that must fail, and return its error."""
        outcome = self.call(method, *arguments)
        assert outcome.error is not None, outcome.result
        error: dict[str, object] = json.loads(outcome.error)
        return error
