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

from nodevms.errors import UsageError
from nodevms.rpc.backend import Backend, WithFeeds, WithFiles
from nodevms.rpc.dispatch import Dispatcher
from nodevms.rpc.doors import feed_routes
from nodevms.rpc.files import FilesDoor, Turns
from nodevms.rpc.gate import Gate
from nodevms.rpc.http_log import http_log
from nodevms.rpc.limits import Limits
from nodevms.rpc.listening import address_error, bind
from nodevms.rpc.site import Route, Site, checked_mount
from nodevms.rpc.unread import UnreadWatch

REQUEST_LINE_BYTES_MAX = 16_384
"""The longest path of a file, percent-encoded three to one, has 12,288 bytes."""
_log = logging.getLogger(__name__)


class RPCServer:
    """Serves backends until it is stopped.

    Args:
        mounts: Mount path (``/`` or such as ``/bob/counter``) to backend. A backend that has
            ``feeds`` gets them served below its path, so that it can be verified; one that has
            ``files_archive`` gets its files served there.
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
        mounts: Mapping[str, Backend] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 5555,
        allow_origins: Iterable[str] = (),
        routes: Mapping[str, Sequence[Route]] | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        self._mounts: dict[str, Backend] = {}
        self._host = host
        self._asked_port = port
        self._gate = Gate.of(host, allow_origins)
        self._routes = routes or {}
        self._limits = limits
        self._turns = Turns()
        self._dispatchers: dict[str, Dispatcher] = {}
        self._site: Site | None = None
        self._runner: web.AppRunner | None = None
        self._sockets: list[socket.socket] = []
        self._listeners: list[asyncio.Server] = []
        self._watch: asyncio.Task[None] | None = None
        for path, backend in (mounts or {}).items():
            self.mount(path, backend)

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

    def mount(self, path: str, backend: Backend) -> None:
        """Serve a backend at a path; also while the server runs.

        Raises:
            UsageError: The path is malformed, reserved, or has a backend already.
        """
        path = checked_mount(path)
        if path in self._mounts:
            raise UsageError(f"a backend is served at {path} already", code="mount")
        if self._site is not None:
            self._serve_at(self._site, path, backend)
        self._mounts[path] = backend

    async def unmount(self, path: str, drain_seconds: float = 10.0) -> None:
        """Serve the backend at a path no more: as `stop`, for this one alone. It is not closed.

        Raises:
            UsageError: Nothing is served there.
        """
        if self._mounts.pop(path, None) is None:
            raise UsageError(f"no backend is served at {path}", code="mount")
        dispatcher, site = self._dispatchers.pop(path, None), self._site
        if dispatcher is None or site is None:
            return
        site.unmount(path)
        await self._retire(site, dispatcher, drain_seconds)

    async def replace(
        self, path: str, backend: Backend, drain_seconds: float | None = 10.0
    ) -> None:
        """Serve another backend at a path from now on; the one before ends as by `unmount`.

        Its clients are told to connect again (1001): what they know of it is no longer true.

        Raises:
            UsageError: Nothing is served there.
        """
        if path not in self._mounts:
            raise UsageError(f"no backend is served at {path}", code="mount")
        self._mounts[path] = backend
        dispatcher, site = self._dispatchers.pop(path, None), self._site
        if dispatcher is None or site is None:
            return
        site.unmount(path)
        self._serve_at(site, path, backend)
        await self._retire(site, dispatcher, drain_seconds)

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
        self._site = site = Site(self._gate, self._limits)
        self._dispatchers = {}
        for path, backend in self._mounts.items():
            self._serve_at(site, path, backend)
        for path, routes in self._routes.items():
            site.document(path, routes)
        self._runner = web.AppRunner(
            site.application,
            access_log=None,
            logger=http_log(),
            keepalive_timeout=15.0,
            shutdown_timeout=1.0,
            max_line_size=REQUEST_LINE_BYTES_MAX,
        )
        await self._runner.setup()
        self._watch = asyncio.create_task(UnreadWatch(self._transports, self._limits).run())
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
        await self._drain(list(self._dispatchers.values()), drain_seconds)
        await self._disconnect(site)
        await runner.cleanup()
        if self._watch is not None:
            self._watch.cancel()
        for listener in listeners:
            await listener.wait_closed()
        self._site = self._runner = None
        self._listeners = []

    def _serve_at(self, site: Site, path: str, backend: Backend) -> None:
        self._dispatchers[path] = dispatcher = Dispatcher(backend, self._limits)
        site.mount(path, dispatcher)
        if isinstance(backend, WithFeeds):
            site.document(path, feed_routes(lambda: backend.feeds))
        if isinstance(backend, WithFiles):
            door = FilesDoor(
                lambda: backend.files_archive, self._turns, embeddable=self._gate.is_open
            )
            site.document(path, door.routes)

    async def _retire(self, site: Site, dispatcher: Dispatcher, seconds: float | None) -> None:
        await self._drain([dispatcher], seconds)
        await self._disconnect(site, dispatcher, "This backend is served here no longer.")

    async def _drain(self, dispatchers: Sequence[Dispatcher], seconds: float | None) -> None:
        for dispatcher in dispatchers:
            dispatcher.close()
        try:
            async with asyncio.timeout(seconds):
                for dispatcher in dispatchers:
                    await dispatcher.idle()
        except TimeoutError:
            pending = sum(dispatcher.pending for dispatcher in dispatchers)
            _log.warning("Stopping with %d calls unanswered", pending)

    async def _disconnect(
        self,
        site: Site,
        dispatcher: Dispatcher | None = None,
        reason: str = "The server is stopping.",
    ) -> None:
        closing = [
            connection.close(WSCloseCode.GOING_AWAY, reason)
            for connection in site.connections
            if dispatcher in (None, connection.dispatcher)
        ]
        await asyncio.gather(*closing, return_exceptions=True)

    def _transports(self) -> Iterable[asyncio.Transport]:
        server = self._runner.server if self._runner else None
        for connection in server.connections if server else ():
            if isinstance(connection.transport, asyncio.Transport):
                yield connection.transport

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
