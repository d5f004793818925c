"""``fetch`` for oracles: HTTP requests to the servers that the operator lists, and to no other.

Neither the script nor a server is trusted. Each hop of a redirect is checked like the first one; a
name is resolved once, and the connection goes to one of the addresses that were checked. No
cookies, no proxies, no credentials of this computer; time and sizes are limited.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult

from nodevms.vm.allowed_hosts import AllowedHosts
from nodevms.vm.fetch_request import (
    BODY_BYTES_MAX,
    FetchError,
    FetchRequest,
    fetch_answer,
    fetch_error,
    parse_fetch,
    parse_url,
    server_name,
)

REDIRECTS_MAX: Final = 5
LOOKUPS_MAX: Final = 16
"""Names that are being resolved at once: the system cannot be told to give up."""
CHUNK_BYTES: Final = 64 * 1024

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_OF_THE_ORIGIN: Final = frozenset({"authorization", "cookie"})
_OF_THE_BODY: Final = frozenset(
    {"content-encoding", "content-language", "content-location", "content-type"}
)

Lookup = Callable[[str, int], Iterable[str]]
"""Returns the addresses of a name; may block. Raises OSError."""


def system_lookup(host: str, port: int) -> list[str]:
    """Return what this computer's resolver says of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Fetcher:
    """Makes requests for oracles. Any thread may call it.

    Args:
        allowed: The servers that may be asked.
        lookup: Resolves names.
    """

    def __init__(self, allowed: AllowedHosts, lookup: Lookup = system_lookup) -> None:
        self._allowed = allowed
        self._lookup = lookup
        self._lookups = threading.BoundedSemaphore(LOOKUPS_MAX)

    def __call__(self, request: bytes, seconds: float, note: Callable[[str], bool]) -> bytes:
        """Make one request, redirects included, and return the answer.

        Args:
            request: As :mod:`nodevms.vm.fetch_request` has it.
            seconds: How long all of it may take.
            note: Hears the name of each server before it is asked; False to ask it not.

        Returns:
            The server's answer, or why there is none.
        """
        try:
            return asyncio.run(self._fetch(parse_fetch(request), seconds, note))
        except FetchError as error:
            return fetch_error(str(error))

    async def _fetch(
        self, request: FetchRequest, seconds: float, note: Callable[[str], bool]
    ) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(request, note)
        except TimeoutError:
            raise FetchError("the time of this call's oracles is over") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            name = server_name(request.url)
            raise FetchError(f"{name} gave no answer: {type(error).__name__}") from None

    async def _follow(self, request: FetchRequest, note: Callable[[str], bool]) -> bytes:
        for hop in range(REDIRECTS_MAX + 1):
            self._check(request.url, note)
            answer = await self._ask(request, redirected=hop > 0)
            if isinstance(answer, bytes):
                return answer
            request = answer
        raise FetchError(f"it was redirected more than {REDIRECTS_MAX} times")

    def _check(self, url: yarl.URL, note: Callable[[str], bool]) -> None:
        host, port = url.raw_host or "", url.port or 0
        name = server_name(url)
        if not self._allowed.allows(host, port, url.scheme):
            raise FetchError(f"the operator allows no requests to {name}")
        if not note(name):
            raise FetchError("an oracle may not ask so many servers")

    async def _ask(self, request: FetchRequest, *, redirected: bool) -> bytes | FetchRequest:
        """Return the answer to one request, or the request that it leads to."""
        resolver = _CheckedResolver(self._resolve, request.url)
        connector = aiohttp.TCPConnector(
            resolver=resolver, use_dns_cache=False, force_close=True, limit=1
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=False,
                skip_auto_headers=("content-type",),
            ) as session,
            session.request(
                request.method,
                request.url,
                data=request.body,
                headers=[("user-agent", "nodevms"), *request.headers],
                allow_redirects=False,
                raise_for_status=False,
            ) as response,
        ):
            place = response.headers.get("location")
            if response.status in _REDIRECTS and place is not None and request.redirect != "manual":
                if request.redirect == "error":
                    raise FetchError("it was redirected")
                return _redirected(request, response.status, place)
            body = await _body(response)
            return fetch_answer(
                response.status,
                response.reason or "",
                request.url,
                redirected,
                response.raw_headers,
                body,
            )

    async def _resolve(self, url: yarl.URL) -> list[str]:
        """Return the addresses of a URL's host that may be connected to.

        Raises:
            OSError: There are none.
        """
        host, port = url.raw_host or "", url.port or 0
        found = await self._addresses(host, port)
        good = [a for a in found if self._allowed.reaches(host, a, port, url.scheme)]
        if not good:
            raise FetchError(
                f"{server_name(url)} leads to an address that is not of the public internet"
            )
        return good

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Resolve a name on a thread of its own, which nobody waits for when the time is over."""
        if not self._lookups.acquire(blocking=False):
            raise FetchError("too many names are being resolved")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()

        def tell(outcome: list[str] | OSError) -> None:
            if found.done():
                return
            if isinstance(outcome, OSError):
                found.set_exception(outcome)
            else:
                found.set_result(outcome)

        def run() -> None:
            outcome: list[str] | OSError
            try:
                outcome = list(self._lookup(host, port))
            except (OSError, ValueError) as error:
                outcome = OSError(str(error))
            finally:
                self._lookups.release()
            with suppress(RuntimeError):  # the loop is closed: the time was over
                loop.call_soon_threadsafe(tell, outcome)

        threading.Thread(target=run, name="nodevms-lookup", daemon=True).start()
        return await found


class _CheckedResolver(AbstractResolver):
    """Gives a connection the addresses that were checked. Addresses are resolved as names are."""

    def __init__(self, resolve: Callable[[yarl.URL], Any], url: yarl.URL) -> None:
        self._resolve = resolve
        self._url = url

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if (host, port) != (self._url.raw_host, self._url.port):
            raise OSError(f"{host} was not asked for")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self._resolve(self._url)
            if family in {socket.AF_UNSPEC, socket.AF_INET6 if ":" in address else socket.AF_INET}
        ]

    async def close(self) -> None:
        pass


def _redirected(request: FetchRequest, status: int, place: str) -> FetchRequest:
    """Return the request that an answer leads to, by the rules of the Fetch Standard."""
    try:
        url = parse_url(str(request.url.join(yarl.URL(place))))
    except ValueError:
        raise FetchError("it was redirected to no URL") from None
    dropped: frozenset[str] = frozenset()
    method, body = request.method, request.body
    if url.origin() != request.url.origin():
        dropped |= _OF_THE_ORIGIN
    if (status == 303 and method not in {"GET", "HEAD"}) or (
        status in {301, 302} and method == "POST"
    ):
        method, body = "GET", None
        dropped |= _OF_THE_BODY
    headers = tuple(header for header in request.headers if header[0].lower() not in dropped)
    return replace(request, url=url, method=method, body=body, headers=headers)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """Read a body, unpacked, as far as it may go."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise FetchError(f"the answer has more than {BODY_BYTES_MAX:,} bytes")
    return bytes(body)
