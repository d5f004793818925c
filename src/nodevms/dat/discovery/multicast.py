"""Multicast DNS on every IPv4 interface of this computer, over asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable, Sequence

from nodevms.dat.discovery.interfaces import Interface, ipv4_interfaces
from nodevms.dat.discovery.link import Link
from nodevms.dat.discovery.multicast_dns import MulticastDns
from nodevms.dat.discovery.way import Found
from nodevms.errors import RemoteProtocolError

SCAN_SECONDS = 5.0
"""How often it is looked whether interfaces came or went."""

RETRY_SECONDS = 60.0
"""How long an interface that failed is left alone."""

_log = logging.getLogger(__name__)


class MulticastDiscovery:
    """Finds peers on this computer and on its local networks, as `dat` 13 and `dat` 14 do.

    Interfaces that come later are joined within five seconds; one that fails is skipped
    with a line in the log, and tried again a minute later or when its address changes.

    Args:
        found: Called for each peer that an answer names, again for each answer.
        interfaces: Lists the interfaces to use.
        scan_seconds: How often it is asked.
    """

    def __init__(
        self,
        found: Found,
        *,
        interfaces: Callable[[], Sequence[Interface]] = ipv4_interfaces,
        scan_seconds: float = SCAN_SECONDS,
    ) -> None:
        self._found = found
        self._interfaces = interfaces
        self._scan_seconds = scan_seconds
        self._core = MulticastDns(secrets.token_bytes(32), random.random)
        self._links: dict[int, Link] = {}
        self._failed: dict[Interface, float] = {}  # with the time of the next try
        self._scanning: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Join the group on each interface that can."""
        await self._scan()
        self._scanning = asyncio.create_task(self._scan_for_ever())

    async def stop(self) -> None:
        """Leave the group everywhere."""
        scanning, self._scanning = self._scanning, None
        if scanning is not None:
            scanning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await scanning
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for link in self._links.values():
            link.close()
        self._links.clear()
        await asyncio.sleep(0)  # the transports close their sockets in the loop's next turn

    def announce(self, discovery_key: bytes, port: int) -> None:
        """Say on every link that we have a feed, and answer whoever asks for it."""
        self._core.announce(discovery_key, port, _now())
        self._send_due()

    def unannounce(self, discovery_key: bytes) -> None:
        """Answer nobody any more; the protocols have no goodbye."""
        self._core.unannounce(discovery_key)

    def lookup(self, discovery_key: bytes) -> None:
        """Ask on every link who has a feed, now and again."""
        self._core.lookup(discovery_key, _now())
        self._send_due()

    def forget(self, discovery_key: bytes) -> None:
        """Ask no more for a feed."""
        self._core.forget(discovery_key)

    async def _scan_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._scan_seconds)
            await self._scan()

    async def _scan(self) -> None:
        there = {each.index: each for each in self._interfaces()}
        for gone in self._failed.keys() - set(there.values()):
            del self._failed[gone]
        for index, link in list(self._links.items()):
            if there.get(index) != link.interface:
                link.close()
                self._drop(link.interface)
        joined = [await self._join(each) for each in there.values()]
        if any(joined):
            self._core.link_up(_now())
            self._send_due()

    async def _join(self, interface: Interface) -> bool:
        if interface.index in self._links or _now() < self._failed.get(interface, 0.0):
            return False
        try:
            link = await Link.open(interface, self._receive, self._lose)
        except OSError as error:
            self._skip(interface, error)
            return False
        self._links[interface.index] = link
        return True

    def _lose(self, interface: Interface, error: OSError) -> None:
        self._drop(interface)
        self._skip(interface, error)

    def _skip(self, interface: Interface, error: OSError) -> None:
        level = logging.DEBUG if interface in self._failed else logging.WARNING
        self._failed[interface] = _now() + RETRY_SECONDS
        where = f"{interface.name} ({interface.address})"
        _log.log(level, "No multicast DNS on %s: %s", where, error.strerror or error)

    def _drop(self, interface: Interface) -> None:
        self._links.pop(interface.index, None)
        self._core.link_down(interface.index)

    def _receive(self, interface: Interface, packet: bytes, sender: str) -> None:
        try:
            peers = self._core.receive(interface.index, packet, sender, _now())
        except RemoteProtocolError as error:
            _log.debug("Multicast DNS from %s: %s", sender, error)
            return
        for peer in peers:
            self._found(peer.discovery_key, peer.host, peer.port)
        self._send_due()

    def _send_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._links:
            return  # a link that comes up begins everything anew
        for outgoing in self._core.due(_now()):
            for index, link in list(self._links.items()):
                if outgoing.link in {None, index}:
                    link.send(outgoing.packet)
        due = self._core.next_due()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._send_due)


def _now() -> float:
    return asyncio.get_running_loop().time()
