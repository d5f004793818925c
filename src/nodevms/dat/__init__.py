"""The peer-to-peer side: the Dat wire, replication of feeds, discovery and the swarm."""

from nodevms.dat.downloader import Downloader, DownloadLimits, Progress
from nodevms.dat.feeds import Download, DownloadPeer
from nodevms.dat.fetch import Fetch
from nodevms.dat.limits import Limits
from nodevms.dat.link import Address
from nodevms.dat.network import Network
from nodevms.dat.peers import Peer
from nodevms.dat.shared_feed import PublishedFeed, SharedFeed
from nodevms.dat.swarm import PORT, Swarm
from nodevms.dat.swarm_thread import SwarmThread
from nodevms.dat.uploader import Uploader

__all__ = [
    "PORT",
    "Address",
    "Download",
    "DownloadLimits",
    "DownloadPeer",
    "Downloader",
    "Fetch",
    "Limits",
    "Network",
    "Peer",
    "Progress",
    "PublishedFeed",
    "SharedFeed",
    "Swarm",
    "SwarmThread",
    "Uploader",
]
