"""A served backend's feeds in the Dat network, for as long as they can be read."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.cli.network_options import NetworkWish
    from nodevms.dat import Network, SwarmThread
    from nodevms.feed import Feed

PATIENCE_SECONDS: Final = 10.0

_LOG: Final = logging.getLogger("nodevms.dat")


class Sharing:
    """Joins the network for one served backend, and leaves it: a `FeedsWatcher`.

    The network is joined on a thread and an event loop of its own, after the backend serves its
    calls, so that it delays no start. One that cannot be joined is a warning.

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
        self._shown: Shown | None = None
        self._feeds: tuple[Feed, Feed, Feed] | None = None

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
        except Exception:  # whatever it is, the backend is closed in order in the end
            _LOG.exception("the Dat network cannot be joined")
            return
        _LOG.info("sharing with the Dat network on port %d", thread.swarm.swarm.port)
        with self._lock:
            self._thread, self._shown = thread, Shown(thread)
            if self._feeds is not None:
                self._shown.opened(*self._feeds)

    def leave(self) -> None:
        """Leave the network."""
        with self._lock:
            thread, self._thread, self._shown = self._thread, None, None
        if thread is not None:
            thread.stop()

    def opened(self, log: Feed, metadata: Feed, content: Feed) -> None:
        """See `FeedsWatcher`."""
        with self._lock:
            self._feeds = (log, metadata, content)
            if self._shown is not None:
                self._shown.opened(log, metadata, content)

    def closing(self) -> None:
        """See `FeedsWatcher`."""
        with self._lock:
            self._feeds = None
            if self._shown is not None:
                self._shown.closing()


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
