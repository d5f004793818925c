"""One WebSocket connection: reads messages in order, writes answers as they come.

Two bounds hold memory and are the only flow control: while answers lie untaken in the transport
no further message is read, and a reader that leaves more than ``outgoing_bytes_max`` lying, or
any for ``stall_seconds``, is cut off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import WSCloseCode, WSMsgType, web

from nodevms.rpc import answers, circular
from nodevms.rpc.codes import INVALID_REQUEST, Fault
from nodevms.rpc.dispatch import Dispatcher, Session
from nodevms.rpc.frames import close_frame, close_payload, text_header
from nodevms.rpc.jsonrpc import NO_ID
from nodevms.rpc.limits import Limits

SUBPROTOCOL = "nodevms.v1+json"
_UNTAKEN_BYTES = 64 << 10
_BINARY = answers.encode_fault(NO_ID, Fault(INVALID_REQUEST, "Messages must be text frames."))


class Socket(web.WebSocketResponse[bool]):
    """aiohttp's WebSocket, which tells a client why its message is too large.

    aiohttp closes at once with an empty reason, and the rest of the message then resets the
    connection before the client reads anything; this one gives it time.

    Attributes:
        is_cut: A close frame was written already; aiohttp must not write another.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__(
            timeout=limits.linger_seconds,
            heartbeat=limits.heartbeat_seconds,
            protocols=(SUBPROTOCOL,),
            compress=False,
            max_msg_size=limits.frame_bytes_max,
            decode_text=False,
        )
        self.is_cut = False
        self._limits = limits

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> bool:
        """Close as aiohttp does, but linger after a message that is too large."""
        if self.is_cut:
            return False
        if code == WSCloseCode.MESSAGE_TOO_BIG and not self.closed:
            reason = f"A message may have at most {self._limits.frame_bytes_max:,} bytes."
            await self.send_frame(close_payload(code, reason), WSMsgType.CLOSE)
            await self._linger()
        return await super().close(code=code, message=message, drain=drain)

    async def _linger(self) -> None:
        request = self._req
        for _ in range(int(self._limits.linger_seconds * 20)):
            if request is None or request.transport is None or request.transport.is_closing():
                return
            await asyncio.sleep(0.05)


class Connection:
    """Carries one client's messages to a dispatcher and the answers back.

    Attributes:
        dispatcher: Where the messages go.
    """

    def __init__(
        self,
        socket: Socket,
        *,
        transport: asyncio.Transport,
        drain: Callable[[], Awaitable[None]],
        dispatcher: Dispatcher,
        session: Session,
        limits: Limits,
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._drain = drain
        self.dispatcher = dispatcher
        self._session = session
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._is_old_client = socket.ws_protocol != SUBPROTOCOL
        self._frames: list[bytes] = []
        self._frames_bytes = 0

    async def run(self) -> None:
        """Serve until the connection ends."""
        while not self._socket.is_cut:
            message = await self._socket.receive()
            if message.type is WSMsgType.TEXT:
                data: bytes = message.data
                if not data.isascii() and not _is_utf8(data):
                    await self.close(WSCloseCode.INVALID_TEXT, "Messages must be UTF-8.")
                    return
                self.dispatcher.take(data, self._session, self.send)
            elif message.type is WSMsgType.BINARY:
                self.send(_BINARY)
            else:
                return
            if self._transport.get_write_buffer_size() > _UNTAKEN_BYTES:
                await self._wait_for_reader()

    def send(self, text: bytes) -> None:
        """Send a message with the rest of this turn's, or at once if they are many bytes.

        Nothing is sent for an empty one.
        """
        if not text or self._socket.is_cut:
            return
        if self._is_old_client:
            text = circular.escape(text)
        if not self._frames:
            self._loop.call_soon(self._flush)
        self._frames += text_header(len(text)), text
        self._frames_bytes += len(text)
        if self._frames_bytes > _UNTAKEN_BYTES:
            self._flush()  # or a turn's requests, small as they are, could ask for gigabytes

    async def close(self, code: int, reason: str) -> None:
        """Send what is ready, then close with a code and a reason.

        A client that does not read is cut off after ``linger_seconds``, and one that reads very
        slowly after ``stall_seconds``.
        """
        self._flush()
        if not await self._taken():
            self._transport.abort()
            return
        self._loop.call_later(self._limits.linger_seconds, self._transport.abort)
        if not self._socket.is_cut:
            await self._socket.close(code=code, message=close_payload(code, reason)[2:])

    def _flush(self) -> None:
        frames, self._frames, self._frames_bytes = self._frames, [], 0
        if not frames or self._transport.is_closing():
            return
        self._transport.write(b"".join(frames))
        if self._transport.get_write_buffer_size() > self._limits.outgoing_bytes_max:
            self._cut(f"More than {self._limits.outgoing_bytes_max:,} bytes of answers unread.")

    async def _taken(self) -> bool:
        """Wait until the client has read what was sent; False when it does not go on reading."""
        now = self._loop.time()
        end, moved, left = now + self._limits.stall_seconds, now, -1
        while (size := self._transport.get_write_buffer_size()) and now < end:
            if size != left:
                moved, left = now, size
            elif now - moved > self._limits.linger_seconds:
                return False
            await asyncio.sleep(0.05)
            now = self._loop.time()
        return not size

    async def _wait_for_reader(self) -> None:
        try:
            async with asyncio.timeout(self._limits.stall_seconds):
                await self._drain()
        except TimeoutError:
            self._cut(f"Answers unread for {self._limits.stall_seconds:g} seconds.")
        except ConnectionError:
            self._socket.is_cut = True

    def _cut(self, reason: str) -> None:
        """End the connection of a client that does not read; it may never see the reason."""
        self._socket.is_cut = True
        self._transport.write(close_frame(WSCloseCode.POLICY_VIOLATION, reason))
        self._loop.call_later(self._limits.linger_seconds, self._transport.abort)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
