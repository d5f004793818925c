"""The asynchronous client.

It trusts the server for nothing but availability: what an answer says can be proved or refuted
from the call log. It speaks plain JSON, negotiated as the WebSocket subprotocol
``nodevms.v1+json``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgspec

from nodevms.errors import LocalProtocolError, RemoteProtocolError, UsageError
from nodevms.feed import parse_dat_url
from nodevms.json_text import compact, hide_surrogates
from nodevms.rpc.channel import Channel, RawAnswer
from nodevms.rpc.client_errors import ConnectionFailedError, RemoteError
from nodevms.rpc.read_only_answer import ReadOnlyAnswer
from nodevms.rpc.urls import parse_backend_url


class BackendInfo(msgspec.Struct, frozen=True, rename="camel"):
    """The handshake: what a server says about its backend.

    Attributes:
        methods: Names of the callable exports.
        call_log_url: The call log's ``dat://`` URL.
        files_archive_url: The files archive's ``dat://`` URL.
        title: The backend's name for people.
        debug: Whether callers are whoever they say they are.
        epoch: Seq of the start entry at the time of the handshake.
        code_hash: Names the script's source.
        version: The server's version of nodevms.
        readonly: Names of the methods whose calls change nothing and are not logged.
    """

    methods: tuple[str, ...]
    call_log_url: str
    files_archive_url: str
    title: str = ""
    debug: bool = False
    epoch: int = 0
    code_hash: str = ""
    version: str = ""
    readonly: tuple[str, ...] = ()


_decode_info = msgspec.json.Decoder(BackendInfo).decode


class RPCClient:
    """A connection to one backend, whose exports are its methods.

    Example:
        ``client = await RPCClient().connect("localhost:5555")``, then
        ``await client.increment()``. An export whose name the client uses itself is reached by
        ``call``. As an asynchronous context manager it closes itself.

    Args:
        timeout_seconds: How long one call may take, and the connecting.

    Attributes:
        info: The handshake; None before `connect`.
    """

    def __init__(self, *, timeout_seconds: float = 60.0) -> None:
        self.info: BackendInfo | None = None
        self._timeout_seconds = timeout_seconds
        self._channel: Channel | None = None
        self._user: str | None = None

    async def connect(self, url: str, user: str | None = None) -> Self:
        """Connect and shake hands.

        Args:
            url: Such as ``localhost:5555`` or ``wss://example.org/bob/counter``.
            user: A plain name to call under; only backends in debug mode take one.

        Returns:
            This client.

        Raises:
            UsageError: The URL is malformed.
            ConnectionFailedError: Nobody answers there, or not as a nodevms server.
            RemoteError: The server refuses the user.
        """
        if self._channel is not None:
            raise LocalProtocolError("The client is already connected.")
        address = parse_backend_url(url)
        self._user = user or None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                self._channel = await Channel.open(address, user)
            self.info = _decode_info((await self.request("handshake")).result or b"")
        except TimeoutError:
            seconds = f"{self._timeout_seconds:g} seconds"
            raise ConnectionFailedError(f"{address.ws} did not answer in {seconds}.") from None
        except msgspec.DecodeError as error:
            await self.close()
            raise ConnectionFailedError(f"{address.ws} is no nodevms server: {error}") from error
        except BaseException:
            await self.close()
            raise
        return self

    async def call(self, method: str, /, *arguments: Any) -> Any:
        """Call a method with Python values that JSON can carry and return its result.

        ``undefined`` becomes None.

        Raises:
            RemoteError: The backend answered with an error.
            CallOutcomeUnknownError: No answer came; the call may have run. It is not sent again.
            ConnectionFailedError: There is no connection; nothing was sent.
            UsageError: An argument is not JSON.
        """
        result = (await self.request(method, _json_of(method, arguments))).result
        try:
            return None if result is None else json.loads(result)
        except (ValueError, RecursionError) as error:
            raise RemoteProtocolError(f"The result of {method} is not JSON: {error}") from error

    async def call_json(self, method: str, arguments: str | bytes = b"[]") -> bytes | None:
        """Call a method with JSON text and return the result's, both exactly as written.

        Args:
            method: The export.
            arguments: JSON text of an array.

        Returns:
            JSON text, or None for ``undefined``. Raises as `call` does.
        """
        return (await self.request(method, _checked_array(arguments))).result

    async def call_readonly(self, method: str, /, *arguments: Any) -> ReadOnlyAnswer:
        """Call a read-only method with Python values, and return all of its answer.

        The head that the answer names is checked to be signed; what it says can be checked with the
        log, by ``nodevms verify --answer``.

        Raises:
            UsageError: The backend has no such read-only method; nothing was sent.
            RemoteError: The backend answered with an error. Of one of the script, ``answer`` is the
                whole answer.
            ProvedFalseError: The head is not signed by the backend's key.
            CouldNotCheckError: As `call`.
        """
        return await self.call_readonly_json(method, _json_of(method, arguments))

    async def call_readonly_json(
        self, method: str, arguments: str | bytes = b"[]"
    ) -> ReadOnlyAnswer:
        """Call a read-only method with JSON text of an array. Raises as `call_readonly` does."""
        text, info = _checked_array(arguments), self.info
        if info is None:
            raise ConnectionFailedError("The client is not connected.")
        if method not in info.readonly:
            raise UsageError(
                f"{method} is no read-only method of this backend",
                hint=f"Read-only are: {', '.join(info.readonly) or 'none'}. Calls of all others "
                "are in the call log, where verify finds them.",
            )
        try:
            answer = await self.request(method, text)
        except RemoteError as error:
            if error.read_at is not None:
                error.answer = self._kept(info, method, text, error)
            raise
        return self._kept(info, method, text, answer)

    def _kept(
        self, info: BackendInfo, method: str, arguments: bytes, answer: RawAnswer | RemoteError
    ) -> ReadOnlyAnswer:
        if answer.read_at is None or answer.epoch is None:
            raise RemoteProtocolError(
                f"The server does not say what the answer of {method} was computed at.",
                hint="It may have logged the call, as one of a script that was replaced meanwhile.",
            )
        kept = ReadOnlyAnswer(
            key=parse_dat_url(info.call_log_url),
            epoch=answer.epoch,
            user=self._user,
            method=method,
            arguments=compact(arguments),
            result=None if isinstance(answer, RemoteError) else answer.result,
            error=answer.text if isinstance(answer, RemoteError) else None,
            read_at=answer.read_at,
        )
        kept.check_head()
        return kept

    async def request(self, method: str, arguments: bytes = b"[]") -> RawAnswer:
        """Send one request and wait for its answer, with the seq of its entry.

        Args:
            method: An export, or one of the server's own methods.
            arguments: JSON text of an array; not checked. Raises as `call` does.
        """
        if self._channel is None:
            raise ConnectionFailedError("The client is not connected.")
        return await self._channel.request(method, arguments, self._timeout_seconds)

    async def close(self) -> None:
        """Close the connection; calls that wait for an answer end with an unknown outcome."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        info = self.__dict__.get("info")
        if info is None or name not in info.methods:
            raise AttributeError(f"The backend has no method {name!r}")
        return lambda *arguments: self.call(name, *arguments)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(self.info.methods if self.info else ())})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


def _json_of(method: str, arguments: tuple[Any, ...]) -> bytes:
    try:
        return json.dumps(arguments, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"An argument of {method} is not JSON: {error}") from None


def _checked_array(arguments: str | bytes) -> bytes:
    text = arguments.encode() if isinstance(arguments, str) else arguments
    try:
        msgspec.json.decode(hide_surrogates(text), type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise UsageError(f"The arguments must be a JSON array such as [1, 2]: {error}") from None
    return text
