"""Fetching the contents of a version, some files ahead, each put in place when it is whole."""

from __future__ import annotations

import asyncio
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

_AHEAD_BYTES: Final = 64 * 1024 * 1024
_AHEAD_FILES: Final = 1024
_MORE: Final = 128

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
            self._look_ahead()
            if not self._lacking:
                return
            self._lacking = {one: _lacking(feed, one) for one in self._lacking}
            if await self._is_time():
                self._refuse_lies()
                await self._place_whole(feed)
                self._report(feed)
            if any(self._lacking.values()):
                await self._fetching.news(LOOK_SECONDS)

    def _look_ahead(self) -> None:
        size = sum(one.size for one in self._lacking)
        while len(self._lacking) < _AHEAD_FILES and size < _AHEAD_BYTES:
            more = self._checkout.ranges(self._last, _MORE)
            if not more:
                return
            self._last = more[-1]
            self._lacking.update((one, one.blocks) for one in more)
            size += sum(one.size for one in more)
            self._fetching.want((one.block, one.end) for one in more)

    async def _is_time(self) -> bool:
        """Whether to look at what came: now and then, and when everything has come."""
        now = asyncio.get_running_loop().time()
        if any(self._lacking.values()) and now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        await self._thread(self._fetching.feed.flush)
        return True

    async def _place_whole(self, feed: FollowedFeed) -> None:
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
        for one in [one for one in self._lacking if not self._checkout.may_be_true(one)]:
            self._checkout.skip(one, "its content is not where its stat says it is", false=True)
            del self._lacking[one]

    def _report(self, feed: FollowedFeed) -> None:
        need = self._checkout.need()
        here = sum(
            one.size * (one.blocks - lacking) // one.blocks
            for one, lacking in self._lacking.items()
        )
        done = self._bytes - need.disk_bytes + here
        self._progress(Progress("files", self._files - need.files, self._files, done, self._bytes))
        if self._stall.is_over((need, here, feed.length)):
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
        for one in beyond:
            self._checkout.skip(
                one, "its content lies beyond the end of the content feed", false=False
            )
            del self._lacking[one]


def _lacking(feed: FollowedFeed, place: Range) -> int:
    return sum(end - start for start, end in feed.missing(place.block, place.end))
