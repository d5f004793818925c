"""The connections of a swarm, and who has to go when they are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodevms.errors import LocalProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from nodevms.dat.limits import Limits
    from nodevms.dat.link import Link


class Links:
    """A bounded set of links, oldest first.

    A stranger who said nothing yet makes room for a new one. One host may not take all the places;
    connections that we make ourselves are not counted so.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._links: dict[Link, None] = {}
        self._hosts: Counter[str] = Counter()
        self._buffered: Counter[Link] = Counter()
        self._buffered_bytes = 0

    def __iter__(self) -> Iterator[Link]:
        return iter(tuple(self._links))

    @property
    def full(self) -> bool:
        """Whether there is room for no more without sending somebody away."""
        return len(self._links) >= self._limits.connections_max

    def add(self, link: Link) -> bool:
        """Take a link in, and tell whether there was room."""
        host = link.address.host
        if self._is_crowded(link):
            self._evict(host)
        elif self.full:
            self._evict(None)
        if self.full or self._is_crowded(link):
            return False
        self._links[link] = None
        self._hosts[host] += link.incoming
        return True

    def remove(self, link: Link) -> None:
        """Forget a link, if it is here."""
        if link in self._links:
            del self._links[link]
            self._hosts[link.address.host] -= link.incoming
            self._hosts += Counter()  # forget those without any
            self._buffered_bytes -= self._buffered.pop(link, 0)

    def buffered(self, link: Link, size: int) -> None:
        """Take note of what a link holds; if all hold too much, the one with the most ends."""
        if link not in self._links:
            return
        self._buffered_bytes += size - self._buffered[link]
        self._buffered[link] = size
        while self._buffered_bytes > self._limits.buffered_bytes_max:
            largest = max(self._buffered, key=self._buffered.__getitem__)
            self.remove(largest)
            largest.fail(RemoteProtocolError("Its frames take too much memory.", code="dat-memory"))

    def _is_crowded(self, link: Link) -> bool:
        taken = self._hosts[link.address.host]
        return link.incoming and taken >= self._limits.connections_per_host_max

    def _evict(self, host: str | None) -> None:
        """End the oldest incoming link (from a host) that has not even greeted."""
        for link in self:
            silent = link.session.connection.remote_handshake is None
            if link.incoming and silent and host in {None, link.address.host}:
                self.remove(link)
                link.fail(LocalProtocolError("Others want its place.", code="dat-full"))
                return
