"""How a swarm's connections look from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodevms.dat.link import Address, Link


@dataclass(frozen=True, slots=True)
class Peer:
    """One connection, as it is at this moment.

    Attributes:
        address: The other side's.
        incoming: It came to us.
        id: What the other side calls itself on all its connections; empty before its handshake.
        keys: Public keys of the feeds that are open.
        received_bytes: On the wire.
        sent_bytes: On the wire.
        sent_blocks: Blocks of all feeds that were sent.
    """

    address: Address
    incoming: bool
    id: bytes
    keys: tuple[bytes, ...]
    received_bytes: int
    sent_bytes: int
    sent_blocks: int

    @classmethod
    def of(cls, link: Link) -> Peer:
        """Return what a link looks like now."""
        handshake = link.session.connection.remote_handshake
        exchanges = link.session.exchanges.values()
        return cls(
            link.address,
            link.incoming,
            b"" if handshake is None else handshake.id,
            tuple(exchange.shared.key for exchange in exchanges),
            link.received_bytes,
            link.sent_bytes,
            sum(exchange.uploader.sent_blocks for exchange in exchanges),
        )
