"""Whoever shows a backend's feeds to others is told when they are there to be read."""

from __future__ import annotations

from typing import Protocol

from nodevms.feed import Feed


class FeedsWatcher(Protocol):
    """Is told of each time that a backend is opened and closed, failures between included.

    Both methods are called on threads that may block, one at a time.
    """

    def opened(self, log: Feed, metadata: Feed, content: Feed) -> None:
        """Hear that the feeds are open; they stay so until :meth:`closing` returns."""

    def closing(self) -> None:
        """Hear that everything is written and the feeds will be closed when this returns.

        It may be called without an `opened` before it.
        """


class NobodyWatches:
    """The watcher of a backend whose feeds nobody shows."""

    def opened(self, log: Feed, metadata: Feed, content: Feed) -> None:
        """Do nothing."""

    def closing(self) -> None:
        """Do nothing."""
