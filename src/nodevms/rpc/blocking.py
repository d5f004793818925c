"""The client for scripts and notebooks: the asynchronous one on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeVar

from nodevms.rpc.client import BackendInfo, RPCClient
from nodevms.rpc.read_only_answer import ReadOnlyAnswer

T = TypeVar("T")


class BlockingRPCClient:
    """`RPCClient`, with calls that wait for their answers; safe to use from several threads.

    Example:
        ``with BlockingRPCClient() as client: client.connect("localhost:5555").increment()``

    Args:
        timeout_seconds: How long one call may take, and the connecting.
    """

    def __init__(self, *, timeout_seconds: float = 60.0) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = RPCClient(timeout_seconds=timeout_seconds)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="nodevms-client", daemon=True
        )
        self._thread.start()

    @property
    def info(self) -> BackendInfo | None:
        """The handshake; None before `connect`."""
        return self._client.info

    def connect(self, url: str, user: str | None = None) -> Self:
        """Connect and shake hands; returns this client. See `RPCClient.connect`."""
        self._wait(self._client.connect(url, user))
        return self

    def call(self, method: str, /, *arguments: Any) -> Any:
        """Call a method with Python values. See `RPCClient.call`."""
        return self._wait(self._client.call(method, *arguments))

    def call_json(self, method: str, arguments: str | bytes = b"[]") -> bytes | None:
        """Call a method with JSON text. See `RPCClient.call_json`."""
        return self._wait(self._client.call_json(method, arguments))

    def call_readonly(self, method: str, /, *arguments: Any) -> ReadOnlyAnswer:
        """Call a read-only method and return all of its answer. See `RPCClient.call_readonly`."""
        return self._wait(self._client.call_readonly(method, *arguments))

    def call_readonly_json(self, method: str, arguments: str | bytes = b"[]") -> ReadOnlyAnswer:
        """Call a read-only method with JSON text. See `RPCClient.call_readonly_json`."""
        return self._wait(self._client.call_readonly_json(method, arguments))

    def close(self) -> None:
        """Close the connection and end the thread; the client cannot be used again."""
        if self._loop.is_closed():
            return
        self._wait(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        client = self.__dict__.get("_client")
        if client is None or client.info is None or name not in client.info.methods:
            raise AttributeError(f"The backend has no method {name!r}")
        return lambda *arguments: self.call(name, *arguments)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self.info.methods if self.info else ())})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise
