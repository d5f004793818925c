"""Who may talk to the server at all: Host, Origin, and the caller's name.

A browser lets any page open a WebSocket to any host, loopback included, and says where the page
came from in ``Origin``; DNS rebinding makes a page's own name point at loopback, and then only
``Host`` gives it away (Fetch standard; RFC 6455, 10.2). Programs that are no browsers send no
Origin and pass. Nothing here does I/O.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from nodevms.errors import NodeVMSError, UsageError

ANY_ORIGIN = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_KEY_SHAPED = re.compile(r"[0-9a-fA-F]{64}")


class ForbiddenError(NodeVMSError):
    """The request came from where none may come from; answered with HTTP 403."""

    code = "forbidden"


class CallerRefusedError(NodeVMSError):
    """The caller's name is not acceptable; every request is answered with this."""

    code = "caller"


@dataclass(frozen=True, slots=True)
class Gate:
    """Decides by a request's ``Host`` and ``Origin``.

    Attributes:
        bound_host: What the operator asked the server to listen on.
        allow_origins: Origins (``https://example.org``) whose pages may call, and by whose host
            names the server may be reached; ``*`` for all.
    """

    bound_host: str
    allow_origins: frozenset[str]

    @classmethod
    def of(cls, bound_host: str, allow_origins: Iterable[str]) -> Gate:
        """Return a gate.

        Raises:
            UsageError: An origin is not of the form ``scheme://host[:port]``.
        """
        return cls(bound_host.lower(), frozenset(map(_normal_origin, allow_origins)))

    @property
    def is_open(self) -> bool:
        """Whether pages of all origins may use the server."""
        return ANY_ORIGIN in self.allow_origins

    def check(self, host: str | None, origin: str | None) -> None:
        """Let a request in.

        Args:
            host: The ``Host`` header.
            origin: The ``Origin`` header.

        Raises:
            ForbiddenError: The sentence says which header and what opens the gate.
        """
        if self.is_open:
            return
        if host is None or not self._host_allowed(host):
            raise ForbiddenError(
                f"This server does not answer to the host {_shown(host)}.",
                hint="Use the address that it serves at, or start it with --allow-origin.",
            )
        if origin is not None and not self.allows(host, origin):
            raise ForbiddenError(
                f"Pages of {_shown(origin)} may not use this server.",
                hint="Start it with --allow-origin to let them.",
            )

    def allows(self, host: str, origin: str) -> bool:
        """Tell whether pages of ``origin`` may use the server under the name ``host``."""
        if not self.allow_origins.isdisjoint((ANY_ORIGIN, origin.lower())):
            return True
        try:
            parts, here = urlsplit(origin), urlsplit(f"//{host}")
            default = _DEFAULT_PORTS[parts.scheme]
            there, asked = (part.port or default for part in (parts, here))
        except (KeyError, ValueError):
            return False
        return (parts.hostname, there) == (here.hostname, asked)

    def _host_allowed(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname
        except ValueError:
            return False
        if name is None:
            return False
        if name in ("localhost", self.bound_host) or name in self._allowed_names():
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # A name can be rebound, a literal address cannot; on loopback only loopback is expected.
        return address.is_loopback or not is_loopback(self.bound_host)

    def _allowed_names(self) -> set[str | None]:
        return {urlsplit(origin).hostname for origin in self.allow_origins}


def is_loopback(host: str) -> bool:
    """Tell whether a host is ``localhost`` or a loopback address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def caller_of(
    query_user: str | None, authorization: str | None, *, debug: bool, bytes_max: int
) -> str | None:
    """Return the caller that a connection names, or None for nobody.

    Args:
        query_user: ``?user=`` of the URL; it goes before the header.
        authorization: The ``Authorization`` header; of Basic, the user name counts.
        debug: Whether the backend believes names.
        bytes_max: The longest name in UTF-8.

    Raises:
        CallerRefusedError: A name was given and is not acceptable.
    """
    name = query_user or (_basic_user(authorization) if authorization else None)
    if not name:
        return None
    if not debug:
        raise CallerRefusedError(
            "This backend does not run in debug mode, so nobody can call under a plain name. "
            "Connect without a user, or begin a backend with --debug in a new directory."
        )
    if _KEY_SHAPED.fullmatch(name):
        raise CallerRefusedError("A name of 64 hexadecimal digits is kept for keys.")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise CallerRefusedError("The user name is not UTF-8.") from None
    if size > bytes_max:
        raise CallerRefusedError(f"The user name has {size:,} bytes; the limit is {bytes_max:,}.")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in name):
        raise CallerRefusedError("The user name has control characters.")
    return name


def _basic_user(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise CallerRefusedError("Of Authorization, only Basic is understood.")
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise CallerRefusedError("The Authorization header is not Basic in UTF-8.") from None
    return text.partition(":")[0]


def _normal_origin(origin: str) -> str:
    if origin in (ANY_ORIGIN, "null"):
        return origin
    parts = urlsplit(origin)
    normal = f"{parts.scheme}://{parts.netloc}".lower()
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or normal != origin.lower():
        raise UsageError(f"{origin!r} is not an origin such as https://example.org")
    return normal


def _shown(header: str | None) -> str:
    return "(none)" if header is None else repr(header[:200])
