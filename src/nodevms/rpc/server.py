"""The server: backends at mount paths, over WebSocket and HTTP on one port.

It trusts nobody who connects. Every request passes the gate (Host, Origin) before anything else
is read of it; all sizes, counts and waiting times are in `Limits`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from aiohttp import WSCloseCode, hdrs, web

from nodevms.errors import UsageError
from nodevms.rpc.backend import Backend
from nodevms.rpc.codes import CALLER_REFUSED, Fault
from nodevms.rpc.connection import SUBPROTOCOL, Connection, Socket
from nodevms.rpc.discover import handshake
from nodevms.rpc.dispatch import Dispatcher, Session
from nodevms.rpc.gate import CallerRefusedError, ForbiddenError, Gate, caller_of
from nodevms.rpc.limits import Limits
from nodevms.rpc.post import answer_post

_log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Route: TypeAlias = tuple[str, Handler]

RESERVED_NAMES = frozenset(
    {
        *("checkpoint", "entry", "feeds", "files", "healthz"),
        *("metrics", "proof", "readyz", "receipt", "tile"),
    }
)
"""First path segments that no mount may have, because documents are served there."""


class RPCServer:
    """Serves backends until it is stopped.

    Args:
        mounts: Mount path (``/`` or such as ``/bob/counter``) to backend.
        host: Address or name to listen on.
        port: Port to listen on; 0 for any free one.
        allow_origins: Origins whose pages may call; ``*`` for all.
        routes: Mount path to pairs of a path below it and a handler of GET and HEAD requests. A
            path that ends in ``/`` takes everything below, as ``request.match_info["path"]``.
            The gate and CORS apply to them too.
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
        self._mounts = {_checked_mount(path): backend for path, backend in mounts.items()}
        self._host = host
        self._asked_port = port
        self._gate = Gate.of(host, allow_origins)
        self._routes = routes or {}
        self._limits = limits
        self._dispatchers: dict[str, Dispatcher] = {}
        self._connections: set[Connection] = set()
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        if self._listener is None:
            return self._asked_port
        port: int = self._listener.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen.

        Raises:
            UsageError: The address cannot be listened on, for example because it is taken.
        """
        self._dispatchers = {
            path: Dispatcher(backend, self._limits) for path, backend in self._mounts.items()
        }
        self._runner = web.AppRunner(
            self._application(), access_log=None, keepalive_timeout=15.0, shutdown_timeout=1.0
        )
        await self._runner.setup()
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._protocol, self._host, self._asked_port, backlog=512
            )
        except OSError as error:
            await self._runner.cleanup()
            address = f"{self._host}:{self._asked_port}"
            raise UsageError(
                f"Cannot listen on {address}: {error.strerror or error}",
                code="address",
                hint="Is something else serving there? Choose another port with -p.",
            ) from error

    async def stop(self, drain_seconds: float = 10.0) -> None:
        """Stop in order: no new connection, no new call, answer what was accepted, close (1001).

        Args:
            drain_seconds: How long accepted calls may take; those that take longer still run,
                but their callers are not told.
        """
        if self._runner is None or self._listener is None:
            return
        self._listener.close()
        for dispatcher in self._dispatchers.values():
            dispatcher.close()
        try:
            async with asyncio.timeout(drain_seconds):
                for dispatcher in self._dispatchers.values():
                    await dispatcher.idle()
        except TimeoutError:
            pending = sum(dispatcher.pending for dispatcher in self._dispatchers.values())
            _log.warning("Stopping with %d calls unanswered", pending)
        closing = [
            connection.close(WSCloseCode.GOING_AWAY, "The server is stopping.")
            for connection in self._connections
        ]
        await asyncio.gather(*closing, return_exceptions=True)
        await self._runner.cleanup()
        await self._listener.wait_closed()
        self._runner = self._listener = None

    def _application(self) -> web.Application:
        application = web.Application(
            middlewares=[self._guard], client_max_size=self._limits.message_bytes_max
        )
        application.on_response_prepare.append(self._add_cors)
        for path, dispatcher in self._dispatchers.items():
            base = path.rstrip("/")
            handler = self._rpc_handler(dispatcher)
            for place in {path, base + "/"}:
                application.router.add_route("*", place, handler)
            for below, document in self._routes.get(path, ()):
                place = f"{base}/{below.lstrip('/')}"
                place += "{path:.*}" if place.endswith("/") else ""
                application.router.add_get(place, document)
                application.router.add_route("OPTIONS", place, _preflight)
        return application

    def _protocol(self) -> asyncio.BaseProtocol:
        server = self._runner.server if self._runner else None
        if server is None or len(server.connections) >= self._limits.connections_max:
            return _Refuse()
        return server()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._gate.check(request.headers.get(hdrs.HOST), request.headers.get(hdrs.ORIGIN))
            return await handler(request)
        except ForbiddenError as error:
            return _error(403, error.code, f"{error} {error.hint}")
        except web.HTTPNotFound:
            return _error(404, "not-found", "Nothing is served at this path.")
        except web.HTTPMethodNotAllowed:
            return _error(405, "method-not-allowed", f"{request.method} is not possible here.")

    async def _add_cors(self, request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return
        response.headers[hdrs.VARY] = "Origin"
        if self._gate.allows(request.headers.get(hdrs.HOST, ""), origin):
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin

    def _rpc_handler(self, dispatcher: Dispatcher) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
                return await self._serve_socket(request, dispatcher)
            if request.method == hdrs.METH_POST:
                session = self._session(request, dispatcher.backend, with_entry=True)
                return await answer_post(request, dispatcher, session, self._limits)
            if request.method == hdrs.METH_OPTIONS:
                return await _preflight(request)
            if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
                body = handshake(dispatcher.backend)
                return web.Response(body=body, content_type="application/json")
            raise web.HTTPMethodNotAllowed(request.method, ("GET", "POST"))

        return handle

    async def _serve_socket(
        self, request: web.Request, dispatcher: Dispatcher
    ) -> web.StreamResponse:
        socket = Socket(self._limits)
        writer = await socket.prepare(request)
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return socket
        session = self._session(
            request, dispatcher.backend, with_entry=socket.ws_protocol == SUBPROTOCOL
        )
        connection = Connection(
            socket,
            transport=transport,
            drain=writer.drain,
            dispatcher=dispatcher,
            session=session,
            limits=self._limits,
        )
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
        return socket

    def _session(self, request: web.Request, backend: Backend, *, with_entry: bool) -> Session:
        try:
            caller = caller_of(
                request.query.get("user"),
                request.headers.get(hdrs.AUTHORIZATION),
                debug=backend.debug,
                bytes_max=self._limits.caller_bytes_max,
            )
        except CallerRefusedError as error:
            return Session(None, Fault(CALLER_REFUSED, str(error)), with_entry)
        return Session(caller, None, with_entry)


class _Refuse(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


async def _preflight(request: web.Request) -> web.Response:
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, POST",
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, Range",
        hdrs.ACCESS_CONTROL_MAX_AGE: "600",
        "Access-Control-Allow-Private-Network": "true",
    }
    return web.Response(status=204, headers=headers)


def _error(status: int, code: str, sentence: str) -> web.Response:
    body = msgspec.json.encode({"error": {"code": code, "message": sentence}})
    return web.Response(status=status, body=body, content_type="application/json")


def _checked_mount(path: str) -> str:
    segments = path[1:].split("/")
    if path == "/":
        return path
    if not path.startswith("/") or not all(_is_segment(segment) for segment in segments):
        raise UsageError(f"{path!r} is not a mount path such as / or /bob/counter")
    if not RESERVED_NAMES.isdisjoint(segments):
        raise UsageError(f"{path!r} has a name that the server keeps for itself")
    return path


def _is_segment(text: str) -> bool:
    return (
        bool(text.strip("."))
        and text.replace("-", "").replace("_", "").replace(".", "").isalnum()
        and text.isascii()
    )
