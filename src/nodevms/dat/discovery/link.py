"""One interface's end of multicast DNS: a socket that hears and speaks on that link alone."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from nodevms.dat.discovery.interfaces import Interface

GROUP = "224.0.0.251"
PORT = 5353

_IP_MULTICAST_ALL = 49  # Linux: deliver only what this socket joined, on the interface it joined on
_MREQN = struct.Struct("4s4si")

Receive = Callable[[Interface, bytes, str], None]
Lose = Callable[[Interface, OSError], None]


class Link(asyncio.DatagramProtocol):
    """A socket for 224.0.0.251:5353 on one interface, beside those of other programs.

    It is bound to the group's address, so that no unicast packet reaches it and none is taken away
    from another responder; routers do not forward the group, so what arrives comes from the link.
    Packets whose source port is not 5353, or whose sender's address cannot be of this link, are
    dropped.

    Args:
        interface: The interface.
        receive: Called with each packet and its sender's address.
        lose: Called once when sending or receiving failed: the interface is probably gone.
    """

    def __init__(self, interface: Interface, receive: Receive, lose: Lose) -> None:
        self.interface = interface
        self._receive = receive
        self._lose = lose
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, interface: Interface, receive: Receive, lose: Lose) -> Link:
        """Join the group on an interface.

        Raises:
            OSError: The interface cannot do multicast, or another program has the port to itself.
        """
        link = cls(interface, receive, lose)
        joined = _joined(interface)
        try:
            link._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: link, sock=joined
            )
        except BaseException:
            joined.close()
            raise
        return link

    def send(self, packet: bytes) -> None:
        """Send to the group; a failure is told to ``lose``."""
        if self._transport is not None:
            self._transport.sendto(packet, (GROUP, PORT))

    def close(self) -> None:
        """Leave the group."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Hand on a packet of the link; part of :class:`asyncio.DatagramProtocol`."""
        host, port = addr[:2]
        if port == PORT and self.interface.is_near(ipaddress.IPv4Address(host)):
            self._receive(self.interface, data, host)

    def error_received(self, exc: Exception) -> None:
        """Give the link up; part of :class:`asyncio.DatagramProtocol`."""
        if self._transport is not None and isinstance(exc, OSError):
            self.close()
            self._lose(self.interface, exc)


def _joined(interface: Interface) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if sys.platform.startswith("linux"):
            made.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        made.bind((GROUP, PORT))
        address = interface.address.packed
        here = _MREQN.pack(socket.inet_aton(GROUP), address, interface.index)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, here)
        sending = _MREQN.pack(bytes(4), address, interface.index)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, sending)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    except BaseException:
        with contextlib.suppress(OSError):
            made.close()
        raise
    return made
