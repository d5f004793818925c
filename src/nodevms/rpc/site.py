"""The web application: gate, CORS, and what is served below each mount path."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

import msgspec
from aiohttp import hdrs, web

from nodevms.errors import NodeVMSError, UsageError
from nodevms.rpc.codes import CALLER_REFUSED, Fault
from nodevms.rpc.connection import SUBPROTOCOL, Connection, Socket
from nodevms.rpc.discover import handshake
from nodevms.rpc.dispatch import Dispatcher, Session
from nodevms.rpc.gate import CallerRefusedError, ForbiddenError, Gate, caller_of
from nodevms.rpc.limits import Limits
from nodevms.rpc.post import answer_post

Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]
Route: TypeAlias = tuple[str, Handler]

RESERVED_NAMES = frozenset(
    {
        *("checkpoint", "entry", "feeds", "files", "healthz"),
        *("metrics", "proof", "readyz", "receipt", "tile"),
    }
)
"""First path segments that no mount may have, because documents are served there."""


class Site:
    """Everything that is served: RPC at the mount paths, documents below them.

    Attributes:
        connections: The WebSocket connections that are open.
    """

    def __init__(self, gate: Gate, limits: Limits) -> None:
        self.connections: set[Connection] = set()
        self._gate = gate
        self._limits = limits
        self._application = web.Application(
            middlewares=[self._guard], client_max_size=limits.message_bytes_max
        )
        self._application.on_response_prepare.append(self._add_cors)
        # One route for everything, because aiohttp takes no new ones while it serves.
        self._application.router.add_route("*", "/{path:.*}", self._serve)
        self._mounts: dict[str, Handler] = {}
        self._documents: dict[str, dict[str, Handler]] = {}

    @property
    def application(self) -> web.Application:
        """What a runner serves."""
        return self._application

    def mount(self, path: str, dispatcher: Dispatcher) -> None:
        """Serve a backend at a path."""
        self._mounts[path] = self._rpc_handler(dispatcher)

    def document(self, path: str, routes: Sequence[Route]) -> None:
        """Serve documents below a path, whether or not a backend is mounted there."""
        places = self._documents.setdefault(path, {})
        for below, handler in routes:
            places[f"{path.rstrip('/')}/{below.lstrip('/')}"] = handler

    def unmount(self, path: str) -> None:
        """Serve nothing at a path any more, and no documents below it."""
        self._mounts.pop(path, None)
        self._documents.pop(path, None)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        mounted = self._mounts.get(path[:-1] if path.endswith("/") and path != "/" else path)
        if mounted is not None:
            return await mounted(request)
        for places in self._documents.values():
            for place, handler in places.items():
                if path == place or (place.endswith("/") and path.startswith(place)):
                    if place.endswith("/"):
                        request.match_info["path"] = path.removeprefix(place)
                    else:
                        del request.match_info["path"]
                    return await _answer_document(request, handler)
        raise web.HTTPNotFound

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._gate.check(request.headers.get(hdrs.HOST), request.headers.get(hdrs.ORIGIN))
            return await handler(request)
        except ForbiddenError as error:
            return _error(403, error.code, f"{error} {error.hint}")
        except web.HTTPNotFound:
            return _error(404, "not-found", "Nothing is served at this path.")
        except web.HTTPMethodNotAllowed as error:
            sentence = f"{request.method} is not possible here."
            response = _error(405, "method-not-allowed", sentence)
            response.headers[hdrs.ALLOW] = ", ".join(sorted(error.allowed_methods))
            return response
        except NodeVMSError as error:  # such as a backend that recovers from a failure
            return _error(503, error.code, str(error))

    async def _add_cors(self, request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None:
            return
        response.headers.setdefault(hdrs.VARY, "Origin")  # documents that vary more say it all
        with suppress(ForbiddenError):
            self._gate.check(request.headers.get(hdrs.HOST), origin)
            response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin

    def _rpc_handler(self, dispatcher: Dispatcher) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
                return await self._serve_socket(request, dispatcher)
            if request.method == hdrs.METH_POST:
                session = self._session(request, dispatcher, with_entry=True)
                return await answer_post(request, dispatcher, session, self._limits)
            if request.method == hdrs.METH_OPTIONS:
                return await _preflight(request)
            if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
                return _info(dispatcher)
            raise web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD", "OPTIONS", "POST"))

        return handle

    async def _serve_socket(
        self, request: web.Request, dispatcher: Dispatcher
    ) -> web.StreamResponse:
        socket = Socket(self._limits)
        writer = await socket.prepare(request)
        transport = request.transport
        if not isinstance(transport, asyncio.Transport):
            return socket
        session = self._session(request, dispatcher, with_entry=socket.ws_protocol == SUBPROTOCOL)
        connection = Connection(
            socket,
            transport=transport,
            drain=writer.drain,
            dispatcher=dispatcher,
            session=session,
            limits=self._limits,
        )
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
        return socket

    def _session(
        self, request: web.Request, dispatcher: Dispatcher, *, with_entry: bool
    ) -> Session:
        try:
            caller = caller_of(
                request.query.get("user"),
                request.headers.get(hdrs.AUTHORIZATION),
                debug=dispatcher.debug,
                bytes_max=self._limits.caller_bytes_max,
            )
        except CallerRefusedError as error:
            return Session(None, Fault(CALLER_REFUSED, str(error)), with_entry)
        return Session(caller, None, with_entry)


async def _answer_document(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):
        return await handler(request)
    if request.method == hdrs.METH_OPTIONS:
        return await _preflight(request)
    raise web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD", "OPTIONS"))


async def _preflight(request: web.Request) -> web.Response:
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, POST",
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization, Content-Type, Range, "
        "If-Match, If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since",
        hdrs.ACCESS_CONTROL_MAX_AGE: "600",
        "Access-Control-Allow-Private-Network": "true",
    }
    return web.Response(status=204, headers=headers)


def _info(dispatcher: Dispatcher) -> web.Response:
    try:
        body = handshake(dispatcher.backend)
    except NodeVMSError as error:
        return _error(503, error.code, str(error))
    return web.Response(body=body, content_type="application/json")


def _error(status: int, code: str, sentence: str) -> web.Response:
    body = msgspec.json.encode({"error": {"code": code, "message": sentence}})
    return web.Response(status=status, body=body, content_type="application/json")


def checked_mount(path: str) -> str:
    """Return a mount path.

    Raises:
        UsageError: It is malformed or has a reserved name.
    """
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
