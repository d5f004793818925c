"""The BitTorrent mainline DHT (BEP 5), through libtorrent, of which nothing else is used.

A feed's infohash is the first 20 bytes of its discovery key. libtorrent is an optional extra of
this package and is imported only when the DHT starts. It gets no torrent and no folder; local
service discovery, UPnP, NAT-PMP and all connections to and from BitTorrent peers are switched off.
What is left is one UDP socket for each address that it listens on, and a TCP socket of the same
number, which libtorrent always opens, and which closes every connection.

The DHT is a public place: anybody can say that any address has a feed. What is found there is a
place to try, and no more than that.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import random
import socket
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nodevms.dat.discovery.node_address import NodeAddress
from nodevms.dat.discovery.way import Found
from nodevms.errors import UsageError

if TYPE_CHECKING:
    import libtorrent

PUBLIC_BOOTSTRAP = (
    NodeAddress("dht.libtorrent.org", 25401),
    NodeAddress("router.bittorrent.com", 6881),
    NodeAddress("dht.transmissionbt.com", 6881),
)
"""Nodes that lead into the public DHT."""

AGAIN_SECONDS = 600.0
"""How often a feed is announced and looked for."""

FIRST_SECONDS = (2.0, 5.0, 15.0, 60.0)
"""The first waits, for a DHT that has only just been joined, or a feed that was just announced."""

_INFOHASH_BYTES = 20
_EVERYWHERE, _LOOPBACK = "0.0.0.0:0", "127.0.0.1:0"
"""For libtorrent, loopback is no part of everywhere."""

_log = logging.getLogger(__name__)


class MainlineDht:
    """Announces our feeds in the mainline DHT and looks there for others who have them.

    Args:
        found: Called for each peer that a node of the DHT names, again for each answer.
        bootstrap: Nodes that are asked first; those of a network of one's own, or the public ones.
        interfaces: Where to listen, as libtorrent writes it: ``address:port``, several separated by
            commas, port 0 for any free one. By default at every address, that of loopback only
            where a bootstrap node is there: it would lead nobody else to us.
    """

    def __init__(
        self,
        found: Found,
        *,
        bootstrap: Sequence[NodeAddress] = PUBLIC_BOOTSTRAP,
        interfaces: str | None = None,
    ) -> None:
        self._found = found
        self._bootstrap = tuple(bootstrap)
        on_loopback = any(each.is_loopback() for each in bootstrap)
        everywhere = f"{_EVERYWHERE},{_LOOPBACK}" if on_loopback else _EVERYWHERE
        self._listen = interfaces or everywhere
        self._session: libtorrent.session | None = None
        self._announced: dict[bytes, int] = {}
        self._wanted: dict[bytes, bytes] = {}
        self._turns: dict[bytes, asyncio.TimerHandle] = {}
        self._alarm: tuple[socket.socket, socket.socket] | None = None

    async def start(self) -> None:
        """Join the DHT; this waits for no node's answer.

        Raises:
            UsageError: libtorrent is not installed.
        """
        library = require_libtorrent()
        self._session = library.session(_settings(library, self._bootstrap, self._listen), 0)
        self._alarm = hearing, ringing = socket.socketpair()
        for end in self._alarm:
            end.setblocking(False)
        asyncio.get_running_loop().add_reader(hearing, self._alerts_came, hearing)
        self._session.set_alert_fd(ringing.fileno())
        for infohash in {*self._announced, *self._wanted}:
            self._begin(infohash)

    async def stop(self) -> None:
        """Leave the DHT."""
        for turn in self._turns.values():
            turn.cancel()
        self._turns.clear()
        last, self._session = [self._session], None
        await asyncio.to_thread(last.clear)  # libtorrent's destructor waits for its own thread
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            asyncio.get_running_loop().remove_reader(alarm[0])
            for end in alarm:
                end.close()

    def listening_port(self) -> int:
        """Return the UDP port that the DHT has; 0 before the start."""
        return self._session.listen_port() if self._session is not None else 0

    def announce(self, discovery_key: bytes, port: int) -> None:
        """Say in the DHT, now and again, that we have a feed on a TCP port."""
        infohash = discovery_key[:_INFOHASH_BYTES]
        self._announced[infohash] = port
        self._begin(infohash)

    def unannounce(self, discovery_key: bytes) -> None:
        """Announce no more; nodes forget us with time."""
        self._announced.pop(discovery_key[:_INFOHASH_BYTES], None)

    def lookup(self, discovery_key: bytes) -> None:
        """Ask the DHT, now and again, who has a feed."""
        infohash = discovery_key[:_INFOHASH_BYTES]
        self._wanted[infohash] = discovery_key
        self._begin(infohash)

    def forget(self, discovery_key: bytes) -> None:
        """Ask no more for a feed."""
        self._wanted.pop(discovery_key[:_INFOHASH_BYTES], None)

    def _begin(self, infohash: bytes) -> None:
        if self._session is not None:
            self._turn(infohash, 0)

    def _turn(self, infohash: bytes, turns: int) -> None:
        running = self._turns.pop(infohash, None)
        if running is not None:
            running.cancel()
        if self._session is None:
            return
        hashed = require_libtorrent().sha1_hash(infohash)
        if infohash in self._announced:
            self._session.dht_announce(hashed, self._announced[infohash], 0)  # looks up, too
        elif infohash in self._wanted:
            self._session.dht_get_peers(hashed)
        else:
            return
        wait = FIRST_SECONDS[turns] if turns < len(FIRST_SECONDS) else AGAIN_SECONDS
        wait *= random.uniform(1.0, 1.1)  # noqa: S311 (no secret)
        loop = asyncio.get_running_loop()
        self._turns[infohash] = loop.call_later(wait, self._turn, infohash, turns + 1)

    def _alerts_came(self, hearing: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            hearing.recv(4096)
        if self._session is not None:
            for alert in self._session.pop_alerts():
                self._heard(alert)

    def _heard(self, alert: Any) -> None:
        kind = alert.what()
        if kind == "dht_get_peers_reply":
            key = self._wanted.get(alert.info_hash.to_bytes())
            if key is not None:
                for host, port in alert.peers():
                    if port and not ipaddress.ip_address(host).is_multicast:
                        self._found(key, host, port)
        elif kind == "listen_failed":
            _log.warning("The DHT cannot listen: %s", alert.message())


def require_libtorrent() -> ModuleType:
    """Return libtorrent.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import libtorrent  # noqa: PLC0415 (an optional extra, loaded when it is used)
    except ImportError as error:
        raise UsageError(
            "The DHT needs libtorrent, which is not installed.",
            code="no-libtorrent",
            hint="pip install 'nodevms[dht]'",
        ) from error
    return libtorrent


def _settings(
    library: ModuleType, bootstrap: Sequence[NodeAddress], interfaces: str
) -> dict[str, Any]:
    categories = library.alert.category_t
    # In a network of one's own, several nodes may well have one address, or neighbouring ones. In
    # the public one that is what an attacker's nodes look like.
    public = not all(each.is_private() for each in bootstrap)
    unused = [
        "enable_lsd",
        "enable_upnp",
        "enable_natpmp",
        "enable_incoming_tcp",
        "enable_incoming_utp",
        "enable_outgoing_tcp",
        "enable_outgoing_utp",
    ]
    return {
        **dict.fromkeys(unused, False),
        "enable_dht": True,
        "listen_interfaces": interfaces,
        "dht_bootstrap_nodes": ",".join(str(each) for each in bootstrap),
        "dht_restrict_routing_ips": public,
        "dht_restrict_search_ips": public,
        "dht_ignore_dark_internet": public,
        "dht_prefer_verified_node_ids": public,
        "alert_mask": categories.dht_operation_notification | categories.error_notification,
    }
