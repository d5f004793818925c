"""Between one socket and one session: bytes to and fro, turns, and the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.dat.feeds import Shared
    from nodevms.dat.session import Session

logger = logging.getLogger("nodevms.dat")

_UNSENT_HIGH_BYTES = 256 * 1024
_UNSENT_LOW_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Address:
    """Where a peer is, or where it came from."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Link(asyncio.Protocol):
    """One connection of the swarm.

    Attributes:
        address: The other side's.
        incoming: It came to us.
        session: What is said.
        error: Why it ended, if something was wrong.
        closed: Is set when it has ended.
    """

    def __init__(
        self,
        session: Session,
        clock: Callable[[], float],
        *,
        incoming: bool,
        made: Callable[[Link], bool],
        lost: Callable[[Link], None],
        buffered: Callable[[Link, int], None],
    ) -> None:
        """Make a link that has no socket yet.

        Args:
            session: What is said.
            clock: Seconds.
            incoming: It came to us.
            made: Called with the link when it has a socket; whether it may stay.
            lost: Called with the link when it has none any more.
            buffered: Called with the bytes of unfinished frames that it holds.
        """
        self.session = session
        self.incoming = incoming
        self.address = Address("", 0)
        self.error: NodeVMSError | None = None
        self.closed = asyncio.Event()
        self.received_bytes = 0
        self.sent_bytes = 0
        self._clock = clock
        self._made = made
        self._lost = lost
        self._buffered = buffered
        self._transport: asyncio.Transport | None = None
        self._turn: asyncio.Handle | None = None
        self._paused_writing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        transport = cast(asyncio.Transport, transport)
        transport.set_write_buffer_limits(_UNSENT_HIGH_BYTES, _UNSENT_LOW_BYTES)
        self._transport = transport
        host, port, *_ = transport.get_extra_info("peername") or ("", 0)
        self.address = Address(host, port)
        if self._made(self):
            self.flush()
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        self._transport = None
        if self._turn is not None:
            self._turn.cancel()
        self.session.leave()
        self.closed.set()
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        self.received_bytes += len(data)
        with self._guard():
            self.session.receive(data, self._clock())
        if self._turn is None:
            self._work()
        self._buffered(self, self.session.connection.buffered_bytes)

    def pause_writing(self) -> None:
        """See asyncio."""
        self._paused_writing = True

    def resume_writing(self) -> None:
        """See asyncio."""
        self._paused_writing = False
        self.wake()

    def wake(self) -> None:
        """Do what is to be done, soon."""
        if self._turn is None and self._transport is not None:
            self._turn = asyncio.get_running_loop().call_soon(self._work)

    def flush(self) -> None:
        """Give what the session has to say to the socket."""
        data = self.session.take(self._clock())
        if data and self._transport is not None:
            self.sent_bytes += len(data)
            self._transport.write(data)

    def tick(self) -> None:
        """Let time pass."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        with self._guard():
            if self.session.tick(self._clock(), transport.get_write_buffer_size()):
                self.close()
        self.flush()

    def open(self, shared: Shared) -> None:
        """Open a feed with the peer, and ask for what is wanted of it."""
        with self._guard():
            self.session.open(shared, self._clock())
        self.wake()

    def grew(self, name: bytes) -> None:
        """Tell the peer what is new in a feed."""
        with self._guard():
            self.session.grew(name)
        self.wake()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End when all is sent that waits."""
        if self._transport is not None:
            self.flush()
            self._transport.close()

    def fail(self, error: NodeVMSError) -> None:
        """End at once, for a reason that is logged."""
        if self.error is not None or self._transport is None:
            return
        self.error = error
        level = logging.DEBUG if error.code == "dat-self" else logging.WARNING
        logger.log(level, "Ended the connection with %s: %s [%s]", self.address, error, error.code)
        self._transport.abort()

    def _work(self) -> None:
        """Take one turn: what came, what there is to answer, what is to be sent."""
        self._turn = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        with self._guard():
            more = self.session.work(self._clock(), room=not self._paused_writing)
            self.flush()
            if self.session.busy:
                transport.pause_reading()
            else:
                transport.resume_reading()
            if more:
                self.wake()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """End this link, and nothing else, with whatever is raised."""
        try:
            yield
        except NodeVMSError as error:
            self.fail(error)
        except Exception:
            logger.exception("The connection with %s failed by a fault of ours.", self.address)
            self.fail(NodeVMSError("A fault of ours.", code="dat-internal"))


async def listen(link: Callable[[], Link], host: str, port: int) -> asyncio.Server:
    """Listen on a port, or on any free one if that is taken.

    Raises:
        OSError: It is not possible on this host.
    """
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(link, host, port)
    except OSError:
        if not port:
            raise
        return await loop.create_server(link, host, 0)
