"""The download of one feed over a network, flushed as it comes.

Made for one event loop: that of the network. What comes is put to disk by a thread, so that no sync
keeps the peers waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodevms.dat.downloader import Downloader, Progress
from nodevms.errors import NodeVMSError, StorageError
from nodevms.feed import dat_url
from nodevms.feed.fork_files import keep_evidence

if TYPE_CHECKING:
    from nodevms.dat.network import Network
    from nodevms.feed import ForkError, PartialFeed

_LOG: Final = logging.getLogger("nodevms.dat")

FLUSH_SECONDS: Final = 0.5
FLUSH_BYTES: Final = 8 * 1024 * 1024


class Fetch:
    """Downloads a feed from everybody who is found to have it.

    Attributes:
        feed: Where it goes. Whoever made it closes it, after :meth:`end`.
        failure: Why the download cannot go on; None as long as it can.
    """

    def __init__(
        self,
        network: Network,
        feed: PartialFeed,
        *,
        evidence: Path,
        ranges: Iterable[tuple[int, int]] | None = None,
        live: bool = False,
        drive: bool = False,
        beside: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a download that has not begun.

        Args:
            network: Has started.
            feed: Where it goes.
            evidence: The folder in which the evidence of a fork is kept.
            ranges: What is wanted, as (first, one past the last); everything by default.
            live: Go on for ever.
            drive: The feed is a drive's metadata.
            beside: Key of a feed whose peers have this one, too: the drive's metadata for its
                contents.
            clock: Seconds.
        """
        self.feed = feed
        self.failure: NodeVMSError | None = None
        self._network = network
        self._evidence = evidence
        self._drive = drive
        self._beside = beside
        self._news = asyncio.Event()
        self._full = asyncio.Event()
        self._downloader = Downloader(
            feed,
            clock=clock,
            ranges=ranges,
            live=live,
            on_block=self._stored,
            on_head=self._news.set,
        )
        self._flushing: asyncio.Task[None] | None = None

    @property
    def heard(self) -> bool:
        """Whether a peer has said what it has, and its longest head is ours."""
        return self._downloader.heard

    @property
    def complete(self) -> bool:
        """Whether all wanted blocks below the feed's length are here."""
        return self._downloader.complete

    @property
    def done(self) -> bool:
        """Whether everything that is wanted, and that a peer has, is here."""
        return self._downloader.done

    @property
    def comparing(self) -> bool:
        """Whether a peer was asked for its head, to compare it with ours, and may still answer."""
        return self._downloader.comparing

    @property
    def progress(self) -> Progress:
        """How much came."""
        return self._downloader.progress

    @property
    def peers(self) -> int:
        """How many peers are connected that speak of this feed."""
        return len({peer.id for peer in self._network.peers if self.feed.key in peer.keys})

    def say_absent(self) -> str:
        """Return why nothing of the feed is here, for people."""
        url = dat_url(self.feed.key)
        if not self.peers:
            return f"nobody was found who has {url}"
        return f"whoever was found has nothing of {url} yet"

    def begin(self) -> None:
        """Look for peers and ask them."""
        self._network.share(self.feed, drive=self._drive, beside=self._beside)
        self._network.download(self.feed.key, self._downloader, on_fork=self._forked)
        self._flushing = asyncio.get_running_loop().create_task(self._flush_for_ever())

    def want(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Ask for blocks, each range as (first, one past the last), beside those wanted before."""
        for start, end in ranges:
            self._downloader.want(start, end)

    def give_up(self, error: NodeVMSError) -> None:
        """Ask for nothing more, and raise this from :meth:`news`. The feed stays shared."""
        self.failure = error
        self._network.end_download(self.feed.key)
        self._news.set()

    def settle(self) -> None:
        """Let the feed stay as long as it is. Heads are still compared with everybody's."""
        self._downloader.settle()

    async def news(self, seconds: float) -> None:
        """Return when blocks or a longer head may have come, or after so many seconds.

        Raises:
            ForkError: The feed has two histories; the evidence is kept.
            StorageError: What came cannot be stored.
        """
        self.check()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
        self.check()

    async def flush(self) -> None:
        """Return when all that came is on the disk.

        Raises:
            StorageError: It cannot be written.
        """
        await asyncio.to_thread(self.feed.flush)

    async def end(self) -> None:
        """Ask for nothing more, share the feed no longer, and flush what came."""
        self._network.unshare(self.feed.key)
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.wait([self._flushing])
            self._flushing = None
        if self.failure is None:
            await self.flush()

    def _stored(self, _: int) -> None:
        self._news.set()
        if self.feed.unflushed_bytes >= FLUSH_BYTES:
            self._full.set()

    async def _flush_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._full.wait()
            self._full.clear()
            # A flush that has begun is seen to its end: nobody may close the files under it.
            flushing = asyncio.ensure_future(self.flush())
            try:
                await asyncio.shield(flushing)
            except asyncio.CancelledError:
                await asyncio.wait([flushing])
                raise
            except NodeVMSError as error:
                self.give_up(error)
                return
            except Exception as error:
                _LOG.exception("What came could not be flushed, by a fault of ours.")
                self.give_up(StorageError(f"What came could not be flushed: {error}"))
                return

    def _forked(self, error: ForkError) -> None:
        if error.evidence is not None:
            try:
                path = keep_evidence(self._evidence, error.evidence)
                error.hint = f"Both signed heads are kept in {path}."
            except NodeVMSError as unkept:
                error.hint = f"The evidence could not be kept: {unkept}"
        self.give_up(error)

    def check(self) -> None:
        """Go on, if the download can.

        Raises:
            ForkError: The feed has two histories; the evidence is kept.
            StorageError: What came cannot be stored.
        """
        if self.failure is not None:
            raise self.failure
