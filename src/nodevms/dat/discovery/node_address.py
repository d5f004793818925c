"""The address of a node that leads into a DHT, as people write it: ``host:port``."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from nodevms.errors import UsageError

_WRITTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A host, by name or address, and a UDP port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> NodeAddress:
        """Read ``host:port``; an IPv6 address stands in brackets.

        Raises:
            UsageError: It is something else.
        """
        written = _WRITTEN.fullmatch(text.strip())
        if written is None or not 0 < int(written[2]) < 65536:
            raise UsageError(
                f"This is not the address of a DHT node: {text!r}",
                code="dht-node",
                hint="Write host:port, as in router.bittorrent.com:6881.",
            )
        return cls(written[1].strip("[]"), int(written[2]))

    def is_private(self) -> bool:
        """Tell whether this is an address of a private network or of this computer."""
        try:
            return ipaddress.ip_address(self.host).is_private
        except ValueError:
            return self.host == "localhost"

    def is_loopback(self) -> bool:
        """Tell whether this is an address of this computer that no other reaches."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
