"""Finding the peers of a feed: on the local network, and in the mainline DHT."""

from nodevms.dat.discovery.multicast import MulticastDiscovery
from nodevms.dat.discovery.way import Found, Way

__all__ = ["Found", "MulticastDiscovery", "Way"]
