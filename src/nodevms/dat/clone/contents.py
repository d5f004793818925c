"""Fetching the contents of a version, some files ahead, each put in place when it is whole."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from nodevms.dat.clone.fetching import GO_ON, LOOK_SECONDS, Stall
from nodevms.dat.clone.records import Progress
from nodevms.errors import CouldNotCheckError

if TYPE_CHECKING:
    from nodevms.dat.clone.checkout import Checkout
    from nodevms.dat.clone.content_data import ContentData
    from nodevms.dat.clone.fetching import Fetching, FollowedFeed
    from nodevms.dat.clone.records import OnProgress, Range

_AHEAD_BLOCKS: Final = 1024
"""How many blocks are asked for at a time: what a stat that is false can cost."""
_MORE: Final = 128
_TURN_SECONDS: Final = 0.02

Threaded = Callable[..., Awaitable[Any]]


class Contents:
    """The contents of one version.

    Args:
        checkout: Says what is needed, and puts it in place.
        fetching: The download of the content feed.
        data: Where its bytes go.
        progress: Hears how far it is.
        patience_seconds: How long nothing may come.
        thread: Does blocking work on another thread.
    """

    def __init__(
        self,
        checkout: Checkout,
        fetching: Fetching,
        data: ContentData,
        *,
        progress: OnProgress,
        patience_seconds: float,
        thread: Threaded,
    ) -> None:
        self._checkout = checkout
        self._fetching = fetching
        self._data = data
        self._progress = progress
        self._thread = thread
        self._stall = Stall(patience_seconds)
        self._files, self._bytes = checkout.totals()
        self._lacking: dict[Range, int] = {}
        self._unasked: deque[tuple[Range, int]] = deque()
        self._last: Range | None = None
        self._dropped = data.dropped_bytes
        self._looked = 0.0

    async def fetch(self) -> None:
        """Return when everything is in place, or was left out.

        Raises:
            CouldNotCheckError: Nothing comes any more.
            StorageError: A file cannot be written.
        """
        feed = self._fetching.feed
        while True:
            self._lacking = {one: _lacking(feed, one) for one in self._lacking}
            self._ask()
            if not self._lacking:
                return
            if await self._is_time():
                self._refuse_lies()
                await self._place_whole()
                self._report(feed)
            if any(self._lacking.values()):
                await self._fetching.news(LOOK_SECONDS)
                await asyncio.sleep(_TURN_SECONDS)  # more comes in one turn, the less it costs

    def _ask(self) -> None:
        """Ask for more, if what was asked for is nearly here."""
        unasked = sum(one.end - start for one, start in self._unasked)
        asked = sum(self._lacking.values()) - unasked
        ranges: list[tuple[int, int]] = []
        while asked < _AHEAD_BLOCKS and (self._unasked or self._take_more()):
            one, start = self._unasked.popleft()
            stop = min(one.end, start + _AHEAD_BLOCKS - asked)
            if stop < one.end:
                self._unasked.appendleft((one, stop))
            ranges.append((start, stop))
            asked += stop - start
        if ranges:
            self._fetching.want(ranges)

    def _take_more(self) -> bool:
        more = self._checkout.ranges(self._last, _MORE)
        if more:
            self._last = more[-1]
            self._lacking.update((one, one.blocks) for one in more)
            self._unasked.extend((one, one.block) for one in more)
        return bool(more)

    def _leave_out(self, places: list[Range], reason: str, *, false: bool) -> None:
        for one in places:
            self._checkout.skip(one, reason, false=false)
            del self._lacking[one]
        self._unasked = deque(entry for entry in self._unasked if entry[0] in self._lacking)

    async def _is_time(self) -> bool:
        """Whether to look at what came: now and then, and when everything has come."""
        now = asyncio.get_running_loop().time()
        if any(self._lacking.values()) and now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        await self._thread(self._fetching.feed.flush)
        return True

    async def _place_whole(self) -> None:
        # Only what was there before the flush: `_lacking` is older than that.
        whole = [one for one, lacking in self._lacking.items() if not lacking]
        await self._thread(self._checkout.finish, whole)
        for one in whole:
            del self._lacking[one]

    def _refuse_lies(self) -> None:
        """Find the stat that is false when bytes came that belong to no file."""
        if self._data.dropped_bytes == self._dropped:
            return
        self._dropped = self._data.dropped_bytes
        false = [one for one in self._lacking if not self._checkout.may_be_true(one)]
        self._leave_out(false, "its content is not where its stat says it is", false=True)

    def _report(self, feed: FollowedFeed) -> None:
        need = self._checkout.need()
        here = sum(
            one.size * (one.blocks - lacking) // one.blocks
            for one, lacking in self._lacking.items()
        )
        done = self._bytes - need.disk_bytes + here
        self._progress(Progress("files", self._files - need.files, self._files, done, self._bytes))
        if self._stall.is_over((need, here, feed.length, self._data.dropped_bytes)):
            self._give_up(feed)

    def _give_up(self, feed: FollowedFeed) -> None:
        """Nothing comes any more: leave out what lies beyond the content feed's end, or end."""
        beyond = [one for one in self._lacking if one.end > feed.length]
        if not beyond:
            raise CouldNotCheckError(
                "Nobody was found who has all of the drive's contents.",
                code="dat-stalled",
                hint=GO_ON,
            )
        self._leave_out(beyond, "its content lies beyond the end of the content feed", false=False)


def _lacking(feed: FollowedFeed, place: Range) -> int:
    return sum(end - start for start, end in feed.missing(place.block, place.end))
