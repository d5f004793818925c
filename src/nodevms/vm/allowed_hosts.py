"""Which servers the oracles of a backend may ask, as its operator lists them.

A name is listed, and the address that it leads to must be one of the public internet: what a
name leads to is for its owner to say, and must not be the operator's own network. An address
that is meant is listed itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

import yarl

from nodevms.errors import UsageError

NAME_CHARACTERS_MAX: Final = 253
HOSTS_LISTED_MAX: Final = 1000
SCHEME_PORTS: Final = {"http": 80, "https": 443}
LOCALHOST: Final = "localhost"

_LISTED: Final = re.compile(
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:/@?#\s]+)(?::(?P<port>[0-9]{1,5}))?"
)
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PUBLIC_IPV6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC: Final = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
"""Teredo and 6to4, which lead to an IPv4 address, anycast to the next router, and documentation."""
_NOT_PUBLIC_IPV4: Final = tuple(
    IPv4Network(network) for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
)
"""Called global, and yet of the network that one is in: anycast to the next router (RFC 7723,
RFC 3068), and what a large host tells its virtual machines."""

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Listed:
    host: str
    port: int | None

    def fits(self, host: str, port: int, scheme: str) -> bool:
        if port != (self.port or SCHEME_PORTS[scheme]):
            return False
        if self.host.startswith("*."):
            # Only of what is a name: others lead nowhere, and an entry cannot name them.
            return host.endswith(self.host[1:]) and is_name(host)
        return host == self.host


class AllowedHosts:
    """The servers that the operator lists.

    Args:
        listed: ``HOST`` or ``HOST:PORT``; a host is a name, ``*.`` and a name for all below it, or
            an address, IPv6 in brackets. Without a port it is that of the scheme.

    Raises:
        UsageError: One is none of these.
    """

    def __init__(self, listed: Iterable[str]) -> None:
        self._listed = frozenset(map(_parse, listed))
        if len(self._listed) > HOSTS_LISTED_MAX:
            raise UsageError(
                f"more than {HOSTS_LISTED_MAX:,} hosts are allowed", code="allowed-hosts"
            )

    def allows(self, host: str, port: int, scheme: str) -> bool:
        """Tell whether a server is listed.

        Args:
            host: A name in lower case, or an address without brackets in its shortest form.
            port: Its port.
            scheme: ``http`` or ``https``.
        """
        return any(listed.fits(host, port, scheme) for listed in self._listed)

    def reaches(self, host: str, address: str, port: int, scheme: str) -> bool:
        """Tell whether an address that a listed host leads to may be connected to.

        Args:
            host: The host, as in :meth:`allows`, which said yes.
            address: What it leads to.
            port: The port.
            scheme: ``http`` or ``https``.
        """
        found = _plain(ip_address(address.partition("%")[0]))
        if is_public(found) or self.allows(str(found), port, scheme):
            return True
        return host == LOCALHOST and found.is_loopback


def is_name(host: str) -> bool:
    """Tell whether a host is a name as it is compared: of ASCII, in lower case, not too long."""
    return len(host) <= NAME_CHARACTERS_MAX and _NAME.fullmatch(host) is not None


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet, and leads to no other."""
    if isinstance(address, IPv6Address):
        if address not in _PUBLIC_IPV6 or any(address in network for network in _NOT_PUBLIC):
            return False
    elif address.is_reserved or any(address in network for network in _NOT_PUBLIC_IPV4):
        return False
    return address.is_global and not address.is_multicast


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, if it is one of these."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _parse(text: str) -> _Listed:
    match = _LISTED.fullmatch(text)
    host = "" if match is None else _host(match["host"])
    port = None if match is None or match["port"] is None else int(match["port"])
    if not host or (port is not None and not 1 <= port <= 65535):
        raise UsageError(
            f"{text[:80]!r} is no host that could be allowed",
            code="allowed-hosts",
            hint="Such as api.example.org, *.example.org, localhost:8080 or [2001:db8::1]:443.",
        )
    return _Listed(host, port)


def _host(text: str) -> str:
    """Return a host as it is compared, or an empty string if it is none."""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        pass
    star = "*." if text.startswith("*.") else ""
    try:
        name = yarl.URL.build(scheme="http", host=text.removeprefix(star)).raw_host or ""
    except ValueError:
        return ""
    return star + name if is_name(name) and not name.rpartition(".")[2].isdigit() else ""
