"""The addresses that people type: ``localhost:5555``, ``example.org/bob/counter``, ``ws://…``."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from nodevms.errors import UsageError
from nodevms.rpc.gate import is_loopback

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class BackendURL:
    """Where a backend is served.

    Attributes:
        ws: Its WebSocket URL, with a path.
        http: The same place for HTTP, ending in ``/``; documents are below it.
    """

    ws: str
    http: str

    def with_user(self, user: str | None) -> str:
        """Return the WebSocket URL for a caller's plain name."""
        return self.ws if user is None else f"{self.ws}?user={quote(user, safe='')}"


def parse_backend_url(text: str) -> BackendURL:
    """Read an address as people write it.

    Without a scheme, ``localhost`` and loopback addresses mean ``ws``, everything else ``wss``.
    No port is added.

    Raises:
        UsageError: It is no such address.
    """
    if text[:4].lower() == "dat:":
        raise UsageError(
            f"{text!r} is not a server's address",
            hint="Type the address that exec prints. "
            "The Dat network is read with nodevms log, verify, clone and mirror.",
        )
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        port, host = parts.port, parts.hostname
        (host or "").encode("idna")  # no resolver takes what cannot be written so
    except ValueError as error:
        raise UsageError(f"{text!r} is no address: {error}") from None
    if not host or any(character.isspace() for character in text):
        raise UsageError(f"{text!r} is not an address such as localhost:5555")
    if parts.username is not None:
        raise UsageError(f"{text!r} has a user in it", hint="Name the user separately.")
    if parts.query or parts.fragment:
        raise UsageError(f"{text!r} has a query or fragment, which mean nothing here")
    scheme = _SCHEMES.get(parts.scheme) if parts.scheme else _default_scheme(host)
    if scheme is None:
        raise UsageError(f"{text!r}: a backend is reached over ws:// or wss://")
    place = f"[{host}]" if ":" in host else host
    place += "" if port is None else f":{port}"
    path = parts.path.rstrip("/")
    web_scheme = {"ws": "http", "wss": "https"}[scheme]
    return BackendURL(f"{scheme}://{place}{path or '/'}", f"{web_scheme}://{place}{path}/")


def _default_scheme(host: str) -> str:
    return "ws" if is_loopback(host) else "wss"
