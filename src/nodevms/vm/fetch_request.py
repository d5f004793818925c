"""Requests and answers of ``fetch`` as bytes: what a fork asks, and what it is told.

A request is ``{"url","method","headers":[[name,value],…],"redirect"}`` in JSON, then maybe NUL and
the body. An answer is ``{"value":{"status","statusText","url","redirected","headers"}}``, NUL and
the body, or ``{"error":{"message"}}``. The fork's memory may have been damaged by a hostile script:
whatever is no request gets an answer, too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import yarl

URL_CHARACTERS_MAX: Final = 8192
HEADERS_MAX: Final = 64
HEADER_CHARACTERS_MAX: Final = 8192
BODY_BYTES_MAX: Final = 1024 * 1024

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OWN_HEADERS: Final = re.compile(
    r"connection|content-length|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade"
)
_OWN_METHODS: Final = frozenset({"CONNECT", "TRACE", "TRACK"})
"""In capitals; the client writes every method so."""


class FetchError(Exception):
    """The fetch fails, for the reason that is its message."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What is to be asked of a server.

    Attributes:
        url: With scheme ``http`` or ``https``, without user and fragment.
        method: As it is sent.
        headers: Names in lower case.
        body: None for none.
        redirect: What becomes of an answer that leads elsewhere.
    """

    url: yarl.URL
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    redirect: Literal["follow", "error", "manual"]


def parse_fetch(request: bytes) -> FetchRequest:
    """Read a request.

    Raises:
        FetchError: It is none, or none that is made.
    """
    head, separator, body = request.partition(b"\0")
    try:
        members: Any = json.loads(head)
        url, method, redirect = members["url"], members["method"], members["redirect"]
        headers = tuple((str(name), str(value)) for name, value in members["headers"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise FetchError("the request is malformed") from None
    if redirect not in ("follow", "error", "manual"):
        raise FetchError("redirect is follow, error or manual")
    if (
        not isinstance(method, str)
        or not _TOKEN.fullmatch(method)
        or method.upper() in _OWN_METHODS
    ):
        raise FetchError("the method is none that may be used")
    if len(body) > BODY_BYTES_MAX:
        raise FetchError(f"a request's body has at most {BODY_BYTES_MAX:,} bytes")
    _check_headers(headers)
    return FetchRequest(parse_url(url), method, headers, body if separator else None, redirect)


def parse_url(text: object) -> yarl.URL:
    """Return the URL of a server.

    Raises:
        FetchError: It is none.
    """
    if not isinstance(text, str) or len(text) > URL_CHARACTERS_MAX:
        raise FetchError(f"a URL has at most {URL_CHARACTERS_MAX:,} characters")
    try:
        url = yarl.URL(text).with_fragment(None)
        whole = url.scheme in {"http", "https"} and url.raw_host and url.port
    except ValueError:
        whole = None
    if not whole:
        raise FetchError("the URL is none of http or https")
    if url.raw_user is not None or url.raw_password is not None:
        raise FetchError("the URL has a user or a password in it")
    return url


def server_name(url: yarl.URL) -> str:
    """Return how an entry names the server of a URL: its host, and its port if it is unusual."""
    host = url.host_subcomponent or ""
    return host if url.is_default_port() else f"{host}:{url.port}"


def fetch_error(message: str) -> bytes:
    """Return the bytes of a refusal or failure."""
    return json.dumps({"error": {"message": message}}).encode()


def fetch_answer(
    status: int,
    reason: str,
    url: yarl.URL,
    redirected: bool,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
) -> bytes:
    """Return the bytes of a server's answer."""
    value = {
        "status": status,
        "statusText": reason,
        "url": str(url),
        "redirected": redirected,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers],
    }
    return json.dumps({"value": value}).encode() + b"\0" + body


def _check_headers(headers: tuple[tuple[str, str], ...]) -> None:
    if len(headers) > HEADERS_MAX:
        raise FetchError(f"a request has at most {HEADERS_MAX} headers")
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise FetchError("a header is malformed")
        if len(value) > HEADER_CHARACTERS_MAX:
            raise FetchError(f"a header has at most {HEADER_CHARACTERS_MAX:,} characters")
        if _OWN_HEADERS.fullmatch(name.lower()):
            raise FetchError(f"the header {name} is not the script's")
