"""Which found peers are news: bounded memory of who was found, by which way, and when.

Anybody on the link or in the DHT can make up peers. Each one costs us a connection that fails, so
what is passed on is bounded, for each feed and each way of finding, whatever is said:

- a peer is passed on once, and again after a while if it is still named, since it may have been
  away;
- one host is believed to have a few ports only;
- when a feed has many peers already, new ones wait until old ones are forgotten. The old are not
  pushed out: a flood must not make us forget whom we knew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass, field

AGAIN_SECONDS = 20.0
"""How long a peer is not news again."""

FORGET_SECONDS = 600.0
"""How long a peer that is named no more is remembered."""

PEERS_MAX = 64
"""Peers that are remembered of one feed, found by one way."""

PORTS_MAX = 8
"""Of these, peers with one host."""


@dataclass(slots=True)
class _Known:
    named_at: float
    passed_on_at: float


@dataclass(slots=True)
class _Place:
    known: dict[tuple[str, int], _Known] = field(default_factory=dict)
    ports: Counter[str] = field(default_factory=Counter)

    def has_room(self, host: str, now: float) -> bool:
        if self._is_full(host):
            self._drop_old(now)
        return not self._is_full(host)

    def add(self, host: str, port: int, now: float, passed_on_at: float) -> _Known:
        known = self.known[host, port] = _Known(now, passed_on_at)
        self.ports[host] += 1
        return known

    def _is_full(self, host: str) -> bool:
        return len(self.known) >= PEERS_MAX or self.ports[host] >= PORTS_MAX

    def _drop_old(self, now: float) -> None:
        for (host, port), known in list(self.known.items()):
            if now - known.named_at >= FORGET_SECONDS:
                del self.known[host, port]
                self.ports[host] -= 1
                if not self.ports[host]:
                    del self.ports[host]


class FoundPeers:
    """Decides which of the peers that are named are passed on.

    Args:
        own_hosts: Returns all addresses of this computer.
    """

    def __init__(self, own_hosts: Callable[[], Set[str]]) -> None:
        self._own_hosts = own_hosts
        self._own_ports: Counter[int] = Counter()
        self._places: dict[bytes, dict[int, _Place]] = {}

    def own(self, port: int) -> None:
        """Remember that a port of this computer is ours."""
        self._own_ports[port] += 1

    def disown(self, port: int) -> None:
        """Take back one :meth:`own`."""
        self._own_ports[port] -= 1

    def forget(self, discovery_key: bytes) -> None:
        """Forget all peers of a feed."""
        self._places.pop(discovery_key, None)

    def is_news(self, discovery_key: bytes, way: int, host: str, port: int, now: float) -> bool:
        """Tell whether a peer shall be passed on, and remember it.

        Args:
            discovery_key: The feed that it has; one of few that are looked for.
            way: The number of the way that found it.
            host: Its address.
            port: Its port.
            now: Seconds on a clock that never goes back.
        """
        peer = (host, port)
        places = self._places.setdefault(discovery_key, {})
        knowing = [each.known[peer].passed_on_at for each in places.values() if peer in each.known]
        passed_on_at = max(knowing, default=now - AGAIN_SECONDS)
        news = now - passed_on_at >= AGAIN_SECONDS
        place = places.setdefault(way, _Place())
        known = place.known.get(peer)
        if known is None:
            if not 0 < port < 65536 or self._is_us(host, port) or not place.has_room(host, now):
                return False
            known = place.add(host, port, now, passed_on_at)
        known.named_at = now
        if news:
            known.passed_on_at = now
        return news

    def _is_us(self, host: str, port: int) -> bool:
        return self._own_ports[port] > 0 and host in self._own_hosts()
