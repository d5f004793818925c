"""Taking an address, apart from listening on it.

Whoever starts a backend wants to know that the port is free before an entry says that it was
started.
"""

from __future__ import annotations

import asyncio
import errno
import socket

from nodevms.errors import UsageError

_HINTS = {
    errno.EADDRINUSE: "Is something else serving there? Choose another port with -p.",
    errno.EACCES: "Ports below 1024 are for the system's administrator. Choose another with -p.",
    errno.EADDRNOTAVAIL: "Choose an address of this computer with --host.",
}


async def bind(host: str, port: int) -> list[socket.socket]:
    """Bind a socket to each address of a host, all with one port.

    Args:
        host: An address or a name.
        port: The port; 0 for any free one.

    Raises:
        UsageError: The host is unknown, or an address cannot be had.
    """
    loop = asyncio.get_running_loop()
    sockets: list[socket.socket] = []
    try:
        if not host:
            raise OSError(errno.EADDRNOTAVAIL, "no host was given")
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, address in dict.fromkeys((each[0], each[4]) for each in found):
            taken = port or (sockets[0].getsockname()[1] if sockets else 0)
            sockets.append(_bound(family, (address[0], taken, *address[2:])))
    except (OSError, UnicodeError) as error:
        for bound in sockets:
            bound.close()
        raise address_error(host, port, error) from error
    return sockets


def address_error(host: str, port: int, error: Exception) -> UsageError:
    """Return the error for an address that cannot be listened on."""
    shown = f"[{host}]" if ":" in host else host
    number = error.errno if isinstance(error, OSError) else None
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return UsageError(
        f"Cannot listen on {shown}:{port}: {reason}",
        code="address",
        hint=_HINTS.get(number or 0, "Choose another address with --host."),
    )


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    return bound
