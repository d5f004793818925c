"""The HTTP door to a backend's files: one request to one answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote, urlsplit

from aiohttp import hdrs, web

from nodevms.archive.paths import ROOT
from nodevms.errors import StorageError
from nodevms.rpc.files import headers as served
from nodevms.rpc.files.address import Address, MalformedAddressError, link, parse_address
from nodevms.rpc.files.conditions import Header, Validators, select
from nodevms.rpc.files.listing import json_listing
from nodevms.rpc.files.looking import Found, NotThereError, look
from nodevms.rpc.files.page import PAGE_POLICY, folder_page
from nodevms.rpc.files.refusal import refusal
from nodevms.rpc.files.sending import Sender, send_pieces
from nodevms.rpc.files.turns import Turns
from nodevms.rpc.files.wanted import wants_json
from nodevms.rpc.gate import is_loopback
from nodevms.rpc.site import Route
from nodevms.vm.dat_archive import DatArchive
from nodevms.vm.dat_archive_values import ArchiveFile, FolderPage

_UNREADABLE: Final = "This cannot be read; the server's log says why."
_REASONS: Final = {
    412: ("precondition", "What is here is not what the request names."),
    416: ("range", "The range holds no byte of the file."),
}
_DAMAGED: Final = ("content-damaged", "feed-damaged")


class FilesDoor:
    """Serves one backend's files.

    Args:
        archive: Gives the files at the newest version. It may raise NodeVMSError for a while.
        turns: Where the reads wait; one for all doors of a server.
        embeddable: Whether pages of all origins may use the server, and so show its files.
    """

    def __init__(
        self, archive: Callable[[], DatArchive], turns: Turns, *, embeddable: bool = False
    ) -> None:
        self._archive = archive
        self._turns = turns
        self._sender = Sender(turns)
        self._embeddable = embeddable

    @property
    def routes(self) -> list[Route]:
        """What to serve below a mount path."""
        return [("files/", self._serve), ("files", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        try:
            address = _address(request)
        except MalformedAddressError as error:
            return self._refuse(request, 400, error.code, str(error))
        if address is None:
            return self._redirect("files", parse_address("", request.rel_url.raw_query_string))
        try:
            return await self._answer(request, address)
        except NotThereError as error:
            return self._refuse(request, 404, error.code, str(error), address)
        except StorageError as error:
            self._sender.report(error)
            status = 500 if error.code in _DAMAGED else 503
            return self._refuse(request, status, error.code, _UNREADABLE, address)

    async def _answer(self, request: web.Request, address: Address) -> web.StreamResponse:
        archive = self._archive()
        as_json = address.format == "json" or (
            address.format is None and wants_json(request.headers.get(hdrs.ACCEPT))
        )
        index = address.format is None and not as_json and not address.after
        found = await self._turns.run(lambda: look(archive, address, index=index))
        if found.file is not None:
            return await self._send_file(request, address, found, found.file)
        if found.folder is not None:
            return await self._send_folder(request, address, found, found.folder, as_json=as_json)
        return self._redirect(address.name, address)

    async def _send_file(
        self, request: web.Request, address: Address, found: Found, file: ArchiveFile
    ) -> web.StreamResponse:
        stat, modified_s = file.stat, served.modified_seconds(file.stat)
        validators = Validators(f'"{stat.sha256}"', modified_s)
        is_head = request.method == hdrs.METH_HEAD
        selection = select(_headers_of(request), validators, stat.size, head=is_head)
        if selection.status in _REASONS:
            refused = self._refuse(request, selection.status, *_REASONS[selection.status])
            if selection.status == 416:
                refused.headers[hdrs.CONTENT_RANGE] = f"bytes */{stat.size}"
            return refused
        headers = self._headers(request, address, found, served.FILE_POLICY)
        headers[hdrs.ETAG] = validators.etag
        headers[hdrs.ACCEPT_RANGES] = "bytes"
        if modified_s is not None:
            headers[hdrs.LAST_MODIFIED] = served.http_date(modified_s)
        if selection.status == 304:
            return web.Response(status=304, headers=headers)
        start, stop = selection.start, selection.stop
        if selection.status == 206:
            headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{stop - 1}/{stat.size}"
        headers[hdrs.CONTENT_TYPE] = found.content_type
        response = web.StreamResponse(status=selection.status, headers=headers)
        response.content_length = stop - start
        pieces = iter(()) if is_head else file.pieces(start, stop)
        return await send_pieces(request, response, pieces, self._sender)

    async def _send_folder(
        self,
        request: web.Request,
        address: Address,
        found: Found,
        folder: FolderPage,
        *,
        as_json: bool,
    ) -> web.Response:
        headers = self._headers(request, address, found, PAGE_POLICY)
        version, newest = found.shown.version, found.newest
        if as_json:
            kind, etag = "application/json", f'W/"{version}-json"'
        else:  # the page says which version is the newest, so it is never the same for ever
            kind, etag = "text/html; charset=utf-8", f'W/"{version}-{newest}-html"'
            headers[hdrs.CACHE_CONTROL] = served.cache_control(pinned=False, loopback=True)
        selection = select(_headers_of(request), Validators(etag, None), 0, head=True)
        if selection.status in _REASONS:
            return self._refuse(request, selection.status, *_REASONS[selection.status])
        headers[hdrs.ETAG] = etag
        if selection.status == 304:
            return web.Response(status=304, headers=headers)

        def write() -> bytes:
            if as_json:
                path = address.path if address.path == ROOT else f"{address.path}/"
                return json_listing(found.shown, path, folder)
            return folder_page(found.shown, newest, address, folder)

        headers[hdrs.CONTENT_TYPE] = kind
        return web.Response(body=await self._turns.run(write), headers=headers)

    def _redirect(self, name: str, address: Address) -> web.Response:
        # Relative to what was asked for, so it holds behind any proxy and leads to no other host.
        location = f"./{link(name, is_folder=True)}{address.query(format=address.format)}"
        headers = served.common_headers(PAGE_POLICY, embeddable=self._embeddable)
        headers |= {hdrs.LOCATION: location, hdrs.CACHE_CONTROL: "no-cache"}
        return web.Response(status=302, headers=headers)

    def _refuse(
        self,
        request: web.Request,
        status: int,
        code: str,
        sentence: str,
        address: Address | None = None,
    ) -> web.Response:
        to_root = None if address is None else address.to_root
        response = refusal(request, status, code, sentence, to_root=to_root)
        response.headers.update(served.common_headers(PAGE_POLICY, embeddable=self._embeddable))
        return response

    def _headers(
        self, request: web.Request, address: Address, found: Found, policy: str
    ) -> dict[str, str]:
        pinned = address.version is not None
        return {
            **served.common_headers(policy, embeddable=self._embeddable),
            **served.version_headers(found.shown, None if pinned else found.shown.log_length),
            hdrs.CACHE_CONTROL: served.cache_control(pinned=pinned, loopback=_is_local(request)),
        }


def _address(request: web.Request) -> Address | None:
    """Return what a request's URL says; None for ``files`` without a slash.

    Raises:
        MalformedAddressError: It says nothing.
    """
    below = request.match_info.get("path")
    if below is None:
        return None
    # The components as they were sent: a %2F is no slash. Those before are the door's own.
    door = request.path.removesuffix(below) if below else request.path
    depth = door.count("/")
    components = request.rel_url.raw_path.split("/")
    if unquote("/".join(components[:depth])) + "/" != door:
        raise MalformedAddressError("The path to the files has an encoded slash.")
    return parse_address("/".join(components[depth:]), request.rel_url.raw_query_string)


def _headers_of(request: web.Request) -> Header:
    def header(name: str) -> str | None:
        values = request.headers.getall(name, None)
        return None if values is None else ", ".join(values)

    return header


def _is_local(request: web.Request) -> bool:
    try:
        host = urlsplit(f"//{request.headers.get(hdrs.HOST, '')}").hostname
    except ValueError:
        return True
    return host is None or is_loopback(host)
