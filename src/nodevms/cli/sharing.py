"""A served backend's feeds in the Dat network, for as long as they can be read."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, Final

from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.cli.network_options import NetworkWish
    from nodevms.dat import Network, SwarmThread
    from nodevms.feed import Feed

_LOG: Final = logging.getLogger("nodevms.dat")


class Sharing:
    """Shows one backend's feeds on the network, over all its failures: a `FeedsWatcher`.

    The network is joined on a thread and an event loop of its own, after the backend serves its
    calls, so that it delays no start; a network that cannot be joined is a warning.

    Args:
        wish: What the operator wants of the network; None to share nothing.
        port: To listen on, if it is free; any free one if not.

    Raises:
        UsageError: The DHT is wanted and cannot be had.
    """

    def __init__(self, wish: NetworkWish | None, port: int) -> None:
        if wish is not None:
            wish.check()
        self._wish = wish
        self._port = port
        self._lock = Lock()
        self._thread: SwarmThread[Network] | None = None
        self._feeds: tuple[Feed, ...] = ()

    def join(self) -> None:
        """Join the network and share what is open. It blocks for a moment."""
        if self._wish is None:
            return
        from nodevms.dat import SwarmThread

        thread = SwarmThread(self._wish.network(self._port))
        try:
            thread.start()
        except (OSError, NodeVMSError) as error:
            _LOG.warning("the Dat network cannot be joined: %s", error)
            return
        _LOG.info("sharing with the Dat network on port %d", thread.swarm.swarm.port)
        with self._lock:
            self._thread = thread
            self._share()

    def leave(self) -> None:
        """Leave the network."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    def opened(self, log: Feed, metadata: Feed, content: Feed) -> None:
        """See `FeedsWatcher`."""
        with self._lock:
            self._feeds = (metadata, content, log)
            self._share()

    def closing(self) -> None:
        """See `FeedsWatcher`."""
        with self._lock:
            feeds, self._feeds = self._feeds, ()
            thread = self._thread
            if thread is None or not feeds:
                return
            try:
                thread.run(thread.swarm.last_words())
                for feed in feeds:
                    thread.call(thread.swarm.unshare, feed.key)
            except TimeoutError:
                _LOG.error("the thread of the Dat network does not answer")

    def _share(self) -> None:
        from nodevms.dat import PublishedFeed

        if self._thread is None:
            return
        for number, feed in enumerate(self._feeds):
            try:
                share = self._thread.swarm.share
                self._thread.call(share, PublishedFeed(feed), drive=number == 0)
            except (NodeVMSError, OSError, TimeoutError) as error:  # calls are served without it
                _LOG.error("a feed cannot be shared with the Dat network: %s", error)
