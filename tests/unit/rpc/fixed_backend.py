"""A backend whose methods are fixed answers: it evaluates nothing, keeps order and remembers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

from nodevms.errors import NodeVMSError
from nodevms.rpc import Answer, Method

Outcome = tuple[bytes | None, bytes | None]

TEXTS: dict[str, Outcome] = {
    "nothing": (None, None),
    "tilde": (b'"~foo"', None),
    "throwError": (None, b'{"name":"Error","message":"boom"}'),
    "throwLimit": (None, b'{"name":"LimitError","message":"Out of gas","code":"out-of-gas"}'),
    "throwNamed": (None, b'{"name":"TypeError","message":"~ no","code":7}'),
    "throwEmpty": (None, b'{"name":"Error","message":""}'),
    "throwString": (None, b'{"value":"just a string"}'),
    "throwObject": (None, b'{"value":{"code":7,"foo":"bar"}}'),
    "throwUndefined": (None, b"{}"),
    "throwNull": (None, b'{"value":null}'),
    "throwFalse": (None, b'{"value":false}'),
    "throwZero": (None, b'{"value":0}'),
    "throwEmptyString": (None, b'{"value":""}'),
    "buffer": (b'{"type":"Buffer","data":[1,2,255]}', None),
    "precise": (b'[1.0,1e400,12345678901234567890,"\\ud800",-0]', None),
    "big": (b'"' + b"x" * 1_000_000 + b'"', None),
}


class FixedBackend:
    """Implements `nodevms.rpc.Backend`.

    Args:
        held: Calls wait for `release`; otherwise they are answered in the loop's next turn.
    """

    call_log_url = "dat://" + "ab" * 32
    files_archive_url = "dat://" + "cd" * 32
    code_hash = "sha256:" + "ef" * 32
    title = "a ~ fixed one"
    epoch = 3

    def __init__(
        self,
        *,
        debug: bool = False,
        queue_max: int = 1_000,
        held: bool = False,
        texts: Mapping[str, Outcome] = TEXTS,
    ) -> None:
        self.debug = debug
        self.calls: list[tuple[str, bytes, str | None]] = []
        self.failures: dict[str, Exception] = {}
        self._texts = texts
        self._queue_max = queue_max
        self._held = held
        self._waiting: list[tuple[asyncio.Future[Answer], Answer]] = []
        self._live: dict[str, Callable[[bytes, str | None], bytes]] = {
            "echo": lambda arguments, caller: arguments,
            "whoami": lambda arguments, caller: _json_string(caller),
            "count": lambda arguments, caller: b"%d" % len(self.calls),
        }
        names = [*self._live, *texts, "fail"]
        self.methods = [Method(name, ("first", "second")) for name in names]

    def call(self, method: str, arguments: bytes, caller: str | None) -> asyncio.Future[Answer]:
        if method in self.failures:
            raise self.failures[method]
        if len(self._waiting) >= self._queue_max:
            raise NodeVMSError("The queue is full.", code="queue-full")
        self.calls.append((method, arguments, caller))
        if method in self._live:
            outcome: Outcome = (self._live[method](arguments, caller), None)
        else:
            outcome = self._texts[method]
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if not self._waiting and not self._held:
            asyncio.get_running_loop().call_soon(self.release)
        self._waiting.append((future, Answer(*outcome, seq=len(self.calls), epoch=self.epoch)))
        return future

    def release(self, *, backwards: bool = False) -> None:
        """Answer all calls that wait."""
        waiting, self._waiting = self._waiting, []
        for future, answer in reversed(waiting) if backwards else waiting:
            assert not future.cancelled(), "the server must not cancel calls"
            future.set_result(answer)


def _json_string(text: str | None) -> bytes:
    return json.dumps(text).encode()
