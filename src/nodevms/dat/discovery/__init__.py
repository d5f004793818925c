"""Finding the peers of a feed: on the local network, and in the mainline DHT."""

from nodevms.dat.discovery.discovery import Discovery
from nodevms.dat.discovery.mainline_dht import PUBLIC_BOOTSTRAP, MainlineDht, require_libtorrent
from nodevms.dat.discovery.multicast import MulticastDiscovery
from nodevms.dat.discovery.node_address import NodeAddress
from nodevms.dat.discovery.way import Found, Way

__all__ = [
    "PUBLIC_BOOTSTRAP",
    "Discovery",
    "Found",
    "MainlineDht",
    "MulticastDiscovery",
    "NodeAddress",
    "Way",
    "require_libtorrent",
]
