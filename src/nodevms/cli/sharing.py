"""A served backend's feeds in the Dat network, for as long as they can be read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.cli.network_options import NetworkWish
    from nodevms.dat import Network, SwarmThread
    from nodevms.feed import Feed
    from nodevms.vm.feeds_watcher import FeedsWatcher

_LOG: Final = logging.getLogger("nodevms.dat")


@contextmanager
def sharing(wish: NetworkWish | None, port: int) -> Iterator[FeedsWatcher]:
    """Join the network, and yield what shows a backend's feeds there.

    A network that cannot be joined is a warning: calls are served all the same.

    Args:
        wish: What the operator wants of the network; None not to join.
        port: To listen on, if it is free; any free one if not.

    Raises:
        UsageError: The DHT is wanted and cannot be had.
    """
    from nodevms.vm.feeds_watcher import NobodyWatches

    if wish is None:
        yield NobodyWatches()
        return
    from nodevms.dat import SwarmThread

    thread = SwarmThread(wish.network(port))
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
