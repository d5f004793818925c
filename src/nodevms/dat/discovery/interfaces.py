"""The IPv4 interfaces of this computer that are up, asked of the system by ioctl.

Python's library names interfaces but not their addresses; the requests below are the same four
since 4.2BSD, with one set of numbers on Linux and another on the BSDs and macOS.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import socket
import struct
import sys
from dataclasses import dataclass

_LINUX = sys.platform.startswith("linux")
_FLAGS = 0x8913 if _LINUX else 0xC0206911
_ADDRESS = 0x8915 if _LINUX else 0xC0206921
_MASK = 0x891B if _LINUX else 0xC0206925
_UP, _LOOPBACK = 0x1, 0x8


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface, by its number, with its first IPv4 address."""

    index: int
    name: str
    address: ipaddress.IPv4Address
    network: ipaddress.IPv4Network
    loopback: bool

    def is_near(self, sender: ipaddress.IPv4Address) -> bool:
        """Tell whether a sender's address can be one of this interface's link.

        That is so for the interface's own network and for private addresses, since one link may
        carry several networks; never for the world's addresses.
        """
        return sender in self.network or (sender.is_private and not sender.is_unspecified)


def ipv4_interfaces() -> list[Interface]:
    """Return the interfaces that are up and have an IPv4 address."""
    found: list[Interface] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for index, name in socket.if_nameindex():
            with contextlib.suppress(OSError, ValueError):  # down, gone meanwhile, or without IPv4
                each = _interface(asking.fileno(), index, name)
                if each is not None:
                    found.append(each)
    return found


def _interface(asking: int, index: int, name: str) -> Interface | None:
    (flags,) = struct.unpack_from("H", _ask(asking, _FLAGS, name), 16)
    if not flags & _UP:
        return None
    address = ipaddress.IPv4Address(_ask(asking, _ADDRESS, name)[20:24])
    mask = ipaddress.IPv4Address(_ask(asking, _MASK, name)[20:24])
    network = ipaddress.IPv4Network((int(address) & int(mask), str(mask)))
    return Interface(index, name, address, network, bool(flags & _LOOPBACK))


def _ask(asking: int, request: int, name: str) -> bytes:
    return fcntl.ioctl(asking, request, name.encode().ljust(40, b"\0"))
