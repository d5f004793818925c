"""A served backend's feeds in the Dat network, for as long as they can be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.dat import Network, SwarmThread
    from nodevms.dat.discovery import Found, Way
    from nodevms.feed import Feed
    from nodevms.vm.feeds_watcher import FeedsWatcher

_LOG: Final = logging.getLogger("nodevms.dat")
ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - printing a dat:// URL promises this; RPC is elsewhere


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the operator wants of the network.

    Attributes:
        port: To listen on, if it is free; any free one if not.
        dht: Whether to be found in the mainline DHT, too.
        bootstrap: Nodes of the DHT to begin with, as host:port; the well-known ones if none.
    """

    port: int
    dht: bool = False
    bootstrap: tuple[str, ...] = ()


@contextmanager
def sharing(settings: Sharing | None) -> Iterator[FeedsWatcher]:
    """Join the network, and yield what shows a backend's feeds there.

    A network that cannot be joined is a warning: calls are served all the same.

    Args:
        settings: None not to join.

    Raises:
        UsageError: The DHT is wanted and cannot be had.
    """
    from nodevms.vm.feeds_watcher import NobodyWatches

    if settings is None:
        yield NobodyWatches()
        return
    thread = _thread(settings)
    try:
        thread.start()
    except OSError as error:
        _LOG.warning("the Dat network cannot be joined: %s", error.strerror or error)
        yield NobodyWatches()
        return
    try:
        _LOG.info("sharing with the Dat network on port %d", thread.swarm.swarm.port)
        yield Shown(thread)
    finally:
        thread.stop()


def _thread(settings: Sharing) -> SwarmThread[Network]:
    from nodevms.dat import Network, Swarm, SwarmThread

    return SwarmThread(Network(Swarm(host=ANYWHERE, port=settings.port), list(_ways(settings))))


def _ways(settings: Sharing) -> Iterator[Callable[[Found], Way]]:
    from nodevms.dat.discovery import MulticastDiscovery

    yield MulticastDiscovery


class Shown:
    """Shows one backend's feeds on a network, over all its failures."""

    def __init__(self, thread: SwarmThread[Network]) -> None:
        self._thread = thread
        self._keys: list[bytes] = []

    def opened(self, log: Feed, metadata: Feed, content: Feed) -> None:
        """See :class:`FeedsWatcher`."""
        from nodevms.dat import PublishedFeed

        network = self._thread.swarm
        for feed in (log, content, metadata):
            try:
                self._thread.call(network.share, PublishedFeed(feed), drive=feed is metadata)
            except (NodeVMSError, OSError) as error:  # the backend serves its calls without it
                _LOG.error("a feed cannot be shared with the Dat network: %s", error)
            self._keys.append(feed.key)

    def closing(self) -> None:
        """See :class:`FeedsWatcher`."""
        keys, self._keys = self._keys, []
        if keys:
            self._thread.run(self._thread.swarm.last_words())
        for key in keys:
            self._thread.call(self._thread.swarm.unshare, key)
