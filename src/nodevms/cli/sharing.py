"""A served backend's feeds in the Dat network, for as long as they can be read."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.cli.network_options import NetworkWish
    from nodevms.dat import Network, SwarmThread
    from nodevms.feed import Feed
    from nodevms.vm.feeds_watcher import FeedsWatcher

PATIENCE_SECONDS: Final = 10.0

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
    """Shows one backend's feeds on a network, over all its failures.

    Whatever the network does, a backend is opened, closed and opened again without it: nothing is
    raised, and nothing waited for longer than some seconds.

    Args:
        thread: Runs the network.
        patience_seconds: How long to wait for it, beside the moment for its last words.
    """

    def __init__(
        self, thread: SwarmThread[Network], *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._thread = thread
        self._patience_seconds = patience_seconds
        self._keys: list[bytes] = []

    def opened(self, log: Feed, metadata: Feed, content: Feed) -> None:
        """See :class:`FeedsWatcher`."""
        from nodevms.dat import PublishedFeed

        network = self._thread.swarm
        self._keys = [feed.key for feed in (log, content, metadata)]

        async def share() -> None:
            for feed in (log, content, metadata):
                network.share(PublishedFeed(feed), drive=feed is metadata)

        self._try(share(), "the feeds cannot be shared with the Dat network")

    def closing(self) -> None:
        """See :class:`FeedsWatcher`."""
        network = self._thread.swarm
        keys, self._keys = self._keys, []

        async def unshare() -> None:
            await network.last_words()
            for key in keys:
                network.unshare(key)

        if keys:
            self._try(unshare(), "the feeds cannot be taken from the Dat network")

    def _try(self, coroutine: Coroutine[Any, Any, None], complaint: str) -> None:
        try:
            self._thread.run(coroutine, seconds=self._patience_seconds)
        except TimeoutError:
            _LOG.error("%s: it does not answer", complaint)
        except Exception as error:
            _LOG.error("%s: %s", complaint, error, exc_info=not isinstance(error, NodeVMSError))
