"""Whether a peer's head and ours belong to one history, which is asked before anything else.

Npm's hypercore leaves nodes that it was once told we hold out of every later proof. A full proof,
the only one in which a fork shows, is to be had only before we say anything of what we hold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodevms.dat.remote_blocks import RemoteBlocks
    from nodevms.dat.wire import Data
    from nodevms.feed import PartialFeed

_PROBES_MAX = 4
_PAUSE_SECONDS = 30.0
_PAUSE_SECONDS_MAX = 600.0


class HeadComparison:
    """What was found out about one peer's head.

    Attributes:
        made: It was compared with ours, or ours is its.
    """

    def __init__(self, feed: PartialFeed, remote: RemoteBlocks) -> None:
        """Begin with nothing known.

        Args:
            feed: Ours.
            remote: What the peer says it has.
        """
        self.made = False
        self._feed = feed
        self._remote = remote
        self._probes = 0
        self._shorter: Data | None = None
        self._pause = _PAUSE_SECONDS
        self._paused_until = -math.inf

    def may_extend(self, now: float) -> bool:
        """Whether the peer is believed to have a longer head, if it says so."""
        return now >= self._paused_until

    def never_came(self, now: float) -> None:
        """Note that it said it had a longer head, and did not show it: it waits for its next turn.

        Else whoever claims again and again would keep the download from its end, and others from
        showing theirs.
        """
        self._paused_until = now + self._pause
        self._pause = min(2 * self._pause, _PAUSE_SECONDS_MAX)

    def came(self) -> None:
        """Note that it showed a longer head, which is ours now."""
        self.made = True
        self._pause = _PAUSE_SECONDS

    def probe(self, extension: int | None) -> int | None:
        """Return the block whose full proof shows the peer's head, if one is to be asked for now.

        Args:
            extension: The block that a longer head can be asked for with, if the peer has one.
        """
        if self.made or self._probes == _PROBES_MAX:
            return None
        index = self._remote.length - 1 if extension is None else extension
        if not 0 < self._feed.length >= index or index not in self._remote:
            return None
        self._probes += 1
        return index

    def take(self, data: Data) -> None:
        """Compare the head that an answer shows.

        Raises:
            ForkError: It contradicts ours; with evidence.
            FeedFalseError: The answer is false.
        """
        theirs = self._feed.compare(data.index, data.nodes, data.signature)
        ours = self._feed.length
        self.made = theirs.length <= ours or data.index == ours
        self._shorter = data if theirs.length < ours else None

    def again(self) -> None:
        """Compare a shorter head again, now that we hold the nodes that it covers.

        Raises:
            ForkError: It contradicts ours; with evidence.
        """
        data, self._shorter = self._shorter, None
        if data is not None:
            self._feed.compare(data.index, data.nodes, data.signature)
