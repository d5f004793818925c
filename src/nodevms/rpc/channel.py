"""The client's side of one WebSocket connection: requests out, answers back by id.

A request is sent once. What ends without an answer ends as an unknown outcome.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import ssl
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import ClientWebSocketResponse, WSMsgType

from nodevms.json_text import hide_surrogates, show_surrogates
from nodevms.rpc.client_errors import (
    CallOutcomeUnknownError,
    ConnectionFailedError,
    remote_error,
)
from nodevms.rpc.connection import SUBPROTOCOL
from nodevms.rpc.read_at import decode_read_at
from nodevms.rpc.urls import BackendURL
from nodevms.vm.requests import ReadAt

_MESSAGE_BYTES_MAX = 64 << 20
_HEARTBEAT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """A successful request's answer.

    Attributes:
        result: JSON text of the result as the backend wrote it; None for ``undefined``.
        seq: The call's entry in the call log; None for the server's own methods, and for read-only
            ones.
        epoch: Seq of the start entry that it ran under; None for the server's own methods.
        read_at: What a read-only call was computed at.
    """

    result: bytes | None
    seq: int | None
    epoch: int | None
    read_at: ReadAt | None = None


class _Message(msgspec.Struct, gc=False):
    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    seq: int | None = None
    epoch: int | None = None
    readonly: msgspec.Raw = msgspec.Raw(b"")


_decode_message = msgspec.json.Decoder(_Message).decode


class Channel:
    """One open connection; `open` makes it."""

    def __init__(
        self, session: aiohttp.ClientSession, socket: ClientWebSocketResponse[bool]
    ) -> None:
        self._session = session
        self._socket = socket
        self._waiting: dict[int, asyncio.Future[RawAnswer]] = {}
        self._last_id = 0
        self._ending = "the connection was lost"
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, address: BackendURL, user: str | None) -> Self:
        """Connect and negotiate plain JSON.

        Raises:
            ConnectionFailedError: Nobody answers there, or not as a nodevms server.
        """
        trace = aiohttp.TraceConfig()
        trace.on_request_redirect.append(_refuse_redirect)
        session = aiohttp.ClientSession(trace_configs=[trace])
        try:
            socket = await session.ws_connect(
                address.with_user(user),
                protocols=(SUBPROTOCOL,),
                heartbeat=_HEARTBEAT_SECONDS,
                max_msg_size=_MESSAGE_BYTES_MAX,
                decode_text=False,
            )
            if socket.protocol != SUBPROTOCOL:
                await socket.close()
                raise ConnectionFailedError(f"{address.ws} does not speak {SUBPROTOCOL}.")
        except (aiohttp.ClientError, OSError) as error:
            reason = await _refusal(session, address, error)
            await session.close()
            raise ConnectionFailedError(
                f"Cannot connect to {address.ws}: {reason}", hint=_advice(address, error)
            ) from error
        except BaseException:
            await session.close()
            raise
        return cls(session, socket)

    async def request(self, method: str, arguments: bytes, timeout_seconds: float) -> RawAnswer:
        """Send a request and wait for its answer.

        Args:
            method: The method's name.
            arguments: JSON text of an array.
            timeout_seconds: How long to wait.

        Raises:
            RemoteError: The answer is an error.
            CallOutcomeUnknownError: No answer came.
            ConnectionFailedError: The connection is closed; nothing was sent.
        """
        if self._socket.closed or self._reader.done():
            raise ConnectionFailedError(f"There is no connection: {self._ending}.")
        self._last_id += 1
        request_id = self._last_id
        answer: asyncio.Future[RawAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        parts = (json.dumps(method).encode(), arguments, request_id)
        message = b'{"jsonrpc":"2.0","method":%b,"params":%b,"id":%d}' % parts
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._socket.send_frame(message, WSMsgType.TEXT)
                return await answer
        except TimeoutError:
            raise _unknown(method, f"no answer came in {timeout_seconds:g} seconds") from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise _unknown(method, str(error) or self._ending) from error
        finally:
            del self._waiting[request_id]

    async def close(self) -> None:
        """Close; requests that wait for an answer end with an unknown outcome."""
        self._ending = "the client was closed"
        await self._socket.close()
        await self._reader
        await self._session.close()

    async def _read(self) -> None:
        try:
            while (received := await self._socket.receive()).type is WSMsgType.TEXT:
                self._settle(received.data)
            if received.type is WSMsgType.CLOSE:
                self._ending = f"the server closed it ({received.data} {received.extra})".strip()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._ending = "the server sent something that is no answer"
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError(self._ending))

    def _settle(self, data: bytes) -> None:
        message = _decode_message(hide_surrogates(data))
        answer = self._waiting.get(message.id or 0)
        if answer is None or answer.done():
            return
        readonly = bytes(message.readonly)
        read_at = decode_read_at(readonly) if readonly else None
        if error := show_surrogates(bytes(message.error)):
            failure = remote_error(error, message.seq, ran=message.epoch is not None)
            failure.text, failure.epoch, failure.read_at = error, message.epoch, read_at
            answer.set_exception(failure)
        else:
            result = show_surrogates(bytes(message.result)) or None
            answer.set_result(RawAnswer(result, message.seq, message.epoch, read_at))


def _unknown(method: str, reason: str) -> CallOutcomeUnknownError:
    return CallOutcomeUnknownError(
        f"The outcome of {method} is unknown: {reason}. It may or may not have run.",
        hint="The call log tells. It was not sent again, because it could then run twice.",
    )


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: object, params: aiohttp.TraceRequestRedirectParams
) -> None:
    """Whoever connects to one host does not mean another."""
    place = params.response.headers.get("Location", "nowhere")[:300]
    raise aiohttp.ClientError(f"the server sends us elsewhere, to {place!r}")


async def _refusal(session: aiohttp.ClientSession, address: BackendURL, error: Exception) -> str:
    """Say why the server did not upgrade; it explains itself only in answer to a plain GET."""
    if isinstance(error, aiohttp.WSServerHandshakeError):
        reason = f"HTTP {error.status}"
        try:
            async with session.get(address.http) as response:
                text = await response.content.read(4096)
            return f"{reason}, {json.loads(text)['error']['message']}"
        except (aiohttp.ClientError, OSError, ValueError, LookupError, TypeError):
            return reason
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    if isinstance(cause, ssl.SSLError):
        return f"no TLS there ({str(cause.reason).lower().replace('_', ' ')})"
    if cause is not None and (number := cause.errno):
        # Without the addresses and options that aiohttp adds; a resolver's numbers are negative.
        return os.strerror(number).lower() if number > 0 else str(cause.strerror).lower()
    return str(error) or type(error).__name__


def _advice(address: BackendURL, error: Exception) -> str | None:
    """Say what to try when nobody listens there, or nobody who speaks TLS."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else None
    if cause is not None and cause.errno == errno.ECONNREFUSED:
        if urlsplit(address.ws).port is None:
            return "Without a port, that of the web is meant. nodevms exec serves at 5555."
        return "Is it running? nodevms exec SCRIPT serves a script."
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLCertVerificationError):
        return f"A server without TLS is reached at {address.ws.replace('wss://', 'ws://')}."
    return None
