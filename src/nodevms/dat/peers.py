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
        keys: Public keys of the feeds that are open.
        received_bytes: On the wire.
        sent_bytes: On the wire.
        sent_blocks: Blocks of all feeds that were sent.
    """

    address: Address
    incoming: bool
    keys: tuple[bytes, ...]
    received_bytes: int
    sent_bytes: int
    sent_blocks: int

    @classmethod
    def of(cls, link: Link) -> Peer:
        """Return what a link looks like now."""
        exchanges = link.session.exchanges.values()
        return cls(
            link.address,
            link.incoming,
            tuple(exchange.shared.key for exchange in exchanges),
            link.received_bytes,
            link.sent_bytes,
            sum(exchange.uploader.sent_blocks for exchange in exchanges),
        )
