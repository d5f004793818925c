"""The script's exported functions as awaitable Python functions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from nodevms.errors import NodeVMSError
from nodevms.vm.error_text import describe_error
from nodevms.vm.errors import UnknownMethodError
from nodevms.vm.requests import Answer, Method


class CallError(NodeVMSError):
    """The script threw, or the call was stopped by a limit.

    The call is in the log, unless it was read-only.

    Attributes:
        err: The JSON text of the error, as the log has it.
        seq: The position of the call's entry; None for a read-only call.
    """

    code = "call-failed"

    def __init__(self, err: bytes, seq: int | None) -> None:
        super().__init__(describe_error(err))
        self.err = err
        self.seq = seq


class Exports:
    """Gives ``await vm.exports.increment(1)`` for each method that the script exports."""

    def __init__(
        self,
        methods: Callable[[], tuple[Method, ...]],
        call: Callable[[str, bytes, str | None], Awaitable[Answer]],
    ) -> None:
        self._methods = methods
        self._call = call

    def __iter__(self) -> Iterator[str]:
        return iter([method.name for method in self._methods()])

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def __getitem__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name not in self:
            raise UnknownMethodError(f"the script exports no function {name!r}")

        async def method(*arguments: Any, caller: str | None = None) -> Any:
            text = json.dumps(arguments, separators=(",", ":"), allow_nan=False)
            answer = await self._call(name, text.encode(), caller)
            if answer.error is not None:
                raise CallError(answer.error, answer.seq)
            return None if answer.result is None else json.loads(answer.result)

        method.__name__ = name
        return method

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]
