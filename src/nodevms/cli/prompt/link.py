"""The prompt's connection: calls go out at once, and a lost connection is made anew.

A call that was sent is never sent again. Only one of which the client says that nothing was sent is
tried on a new connection.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from nodevms.cli.discover import parameters_of
from nodevms.errors import NodeVMSError
from nodevms.rpc import (
    BackendInfo,
    CallOutcomeUnknownError,
    ConnectionFailedError,
    RemoteError,
    RPCClient,
    parse_backend_url,
)

T = TypeVar("T")
Deliver = Callable[[bytes], None]
_THROWN: Final = ("thrown", "thrown-value")


class Link:
    """A backend for the prompt, on a thread of its own.

    Args:
        url: Where it is served.
        user: A plain name to call under, or None.
        timeout_seconds: How long one call may take, and the connecting.
        notice: Is told sentences about a new connection; called on the link's thread.

    Attributes:
        address: The WebSocket URL.
        parameters: The backend's methods with the names of their parameters.
        changed: Set when a new connection was made, whose methods may be others.
    """

    def __init__(
        self,
        url: str,
        user: str | None,
        *,
        timeout_seconds: float,
        notice: Callable[[str], None],
    ) -> None:
        self.address: Final = parse_backend_url(url).ws
        self.parameters: dict[str, tuple[str, ...]] = {}
        self.changed = False
        self._url = url
        self._user = user
        self._timeout_seconds = timeout_seconds
        self._notice = notice
        self._client: RPCClient | None = None
        self._reconnecting = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="nodevms-link", daemon=True
        )
        self._thread.start()

    @property
    def info(self) -> BackendInfo:
        """What the backend said of itself when it was connected last."""
        if self._client is None or self._client.info is None:
            raise ConnectionFailedError("There is no connection.")
        return self._client.info

    def connect(self) -> None:
        """Connect for the first time.

        Raises:
            NodeVMSError: As `RPCClient.connect`.
        """
        self._client = self._wait(self._open())

    def send(self, method: str, arguments: str, deliver: Deliver) -> Future[None]:
        """Send a call and return at once.

        Args:
            method: The export.
            arguments: JSON text of an array.
            deliver: Gets JSON text: ``{"value":…}``, ``{}`` for undefined, or ``{"error":…}``. It
                is called on the link's thread, unless the returned future is cancelled before.
        """

        async def run() -> None:
            deliver(await self._answer(method, arguments.encode()))

        return asyncio.run_coroutine_threadsafe(run(), self._loop)

    def close(self) -> None:
        """Close the connection and end the thread."""
        if self._loop.is_closed():
            return
        if self._client is not None:
            self._wait(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _open(self) -> RPCClient:
        client = RPCClient(timeout_seconds=self._timeout_seconds)
        await client.connect(self._url, self._user)
        try:
            self.parameters = await parameters_of(client)
        except BaseException:
            await client.close()
            raise
        return client

    async def _answer(self, method: str, arguments: bytes) -> bytes:
        try:
            client = self._client
            try:
                if client is None:
                    raise ConnectionFailedError("There is no connection.")
                answer = await client.request(method, arguments)
            except ConnectionFailedError:
                client = await self._connect_anew(client)
                answer = await client.request(method, arguments)
        except NodeVMSError as error:
            return json.dumps({"error": _as_json(error)}).encode()
        return b"{}" if answer.result is None else b'{"value":' + answer.result + b"}"

    async def _connect_anew(self, lost: RPCClient | None) -> RPCClient:
        async with self._reconnecting:
            if self._client is not None and self._client is not lost:
                return self._client
            client = await self._open()
            before, after = lost.info if lost else None, client.info
            if lost is not None:
                await lost.close()
            self._client, self.changed = client, True
            self._notice(_what_changed(before, after))
            return client


def _what_changed(before: BackendInfo | None, after: BackendInfo | None) -> str:
    if before is None or after is None or before == after:
        return "The connection was lost and is made anew."
    if before.call_log_url != after.call_log_url:
        return (
            f"The connection was lost, and another backend answers there now: {after.call_log_url}"
        )
    if before.code_hash != after.code_hash:
        return "The connection was lost and is made anew. The script was replaced in the meantime."
    return (
        "The connection was lost and is made anew. The script was restarted in the meantime: what "
        "it kept in variables began anew."
    )


def _as_json(error: NodeVMSError) -> dict[str, object]:
    """Describe an error for `script.js`; ``origin`` says who is speaking."""
    if isinstance(error, RemoteError) and error.code in _THROWN:
        told: dict[str, object] = {"name": error.name, "message": error.message, "origin": "script"}
        if error.error_code is not None:
            told["code"] = error.error_code
        if error.code == "thrown-value":
            told["value"] = error.data
        if error.seq is not None:
            told["seq"] = error.seq
        if error.stack is not None:
            told["stack"] = error.stack
        return told
    origin = "server" if isinstance(error, RemoteError) else "connection"
    name = {"server": "RPCError", "connection": "ConnectionError"}[origin]
    hint = error.hint if isinstance(error, CallOutcomeUnknownError) else None
    message = f"{error} {hint}" if hint else str(error)
    return {"name": name, "message": message, "code": error.code, "origin": origin}
