"""The server: backends at mount paths, over WebSocket and HTTP on one port.

It trusts nobody who connects. Every request passes the gate (Host, Origin) before anything else
is read of it; all sizes, counts and waiting times are in `Limits`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterable, Mapping, Sequence

from aiohttp import WSCloseCode, web

from nodevms.rpc.backend import Backend
from nodevms.rpc.dispatch import Dispatcher
from nodevms.rpc.gate import Gate
from nodevms.rpc.http_log import http_log
from nodevms.rpc.limits import Limits
from nodevms.rpc.listening import address_error, bind
from nodevms.rpc.site import Route, Site, checked_mount

_log = logging.getLogger(__name__)


class RPCServer:
    """Serves backends until it is stopped.

    Args:
        mounts: Mount path (``/`` or such as ``/bob/counter``) to backend.
        host: Address or name to listen on.
        port: Port to listen on; 0 for any free one.
        allow_origins: Origins whose pages may call; ``*`` for all.
        routes: Mount path, or ``/``, to pairs of a path below it and a handler of GET and HEAD
            requests. A path that ends in ``/`` takes everything below, as
            ``request.match_info["path"]``. The gate and CORS apply to them too.
        limits: The ceilings.

    Raises:
        UsageError: A mount path or origin is malformed.
    """

    def __init__(
        self,
        mounts: Mapping[str, Backend],
        *,
        host: str = "127.0.0.1",
        port: int = 5555,
        allow_origins: Iterable[str] = (),
        routes: Mapping[str, Sequence[Route]] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._mounts = {checked_mount(path): backend for path, backend in mounts.items()}
        self._host = host
        self._asked_port = port
        self._gate = Gate.of(host, allow_origins)
        self._routes = routes or {}
        self._limits = limits
        self._dispatchers: dict[str, Dispatcher] = {}
        self._site: Site | None = None
        self._runner: web.AppRunner | None = None
        self._sockets: list[socket.socket] = []
        self._listeners: list[asyncio.Server] = []

    @property
    def port(self) -> int:
        """The port that is bound, or before that the one that was asked for."""
        if not self._sockets:
            return self._asked_port
        port: int = self._sockets[0].getsockname()[1]
        return port

    @property
    def pending(self) -> int:
        """Accepted calls that have no answer yet."""
        return sum(dispatcher.pending for dispatcher in self._dispatchers.values())

    @property
    def connections(self) -> int:
        """WebSocket connections that are open."""
        return len(self._site.connections) if self._site else 0

    async def bind(self) -> None:
        """Take the address and do not listen yet, to find out that it is taken before `start`.

        Raises:
            UsageError: The address cannot be had.
        """
        if not self._sockets:
            self._sockets = await bind(self._host, self._asked_port)

    async def start(self) -> None:
        """Listen.

        Raises:
            UsageError: The address cannot be listened on, for example because it is taken.
        """
        await self.bind()
        self._dispatchers = {
            path: Dispatcher(backend, self._limits) for path, backend in self._mounts.items()
        }
        self._site = site = Site(self._gate, self._limits)
        for path, dispatcher in self._dispatchers.items():
            site.mount(path, dispatcher)
        for path, routes in self._routes.items():
            site.document(path, routes)
        self._runner = web.AppRunner(
            site.application,
            access_log=None,
            logger=http_log(),
            keepalive_timeout=15.0,
            shutdown_timeout=1.0,
        )
        await self._runner.setup()
        try:
            for bound in self._sockets:
                listener = await asyncio.get_running_loop().create_server(
                    self._protocol, sock=bound, backlog=512
                )
                self._listeners.append(listener)
        except OSError as error:
            await self.stop()
            raise address_error(self._host, self._asked_port, error) from error

    async def stop(self, drain_seconds: float | None = 10.0) -> None:
        """Stop in order: no new connection, no new call, answer what was accepted, close (1001).

        Args:
            drain_seconds: How long accepted calls may take; those that take longer still run,
                but their callers are not told. None waits for all of them.
        """
        site, runner, listeners = self._site, self._runner, self._listeners
        for listener in listeners:
            listener.close()
        for bound in self._sockets:
            bound.close()
        self._sockets = []
        if site is None or runner is None:
            return
        for dispatcher in self._dispatchers.values():
            dispatcher.close()
        try:
            async with asyncio.timeout(drain_seconds):
                for dispatcher in self._dispatchers.values():
                    await dispatcher.idle()
        except TimeoutError:
            _log.warning("Stopping with %d calls unanswered", self.pending)
        closing = [
            connection.close(WSCloseCode.GOING_AWAY, "The server is stopping.")
            for connection in site.connections
        ]
        await asyncio.gather(*closing, return_exceptions=True)
        await runner.cleanup()
        for listener in listeners:
            await listener.wait_closed()
        self._site = self._runner = None
        self._listeners = []

    def _protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server if self._runner else None
        if server is None or len(server.connections) >= self._limits.connections_max:
            return _Refuse()
        return server()


class _Refuse(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()
