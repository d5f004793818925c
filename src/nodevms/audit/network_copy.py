"""A backend's log and files, copied from whoever in the network has them.

Nothing but the log's key is trusted: every block is proved under it, and it names the other two
feeds. What a copy says is the verifier's question.

The order is that in which an honest host writes: what was published, then the log that it reflects,
then the contents that the log names. A copy that is made once wants no more of a feed when it has
it: so a copy of a backend that goes on meanwhile is whole.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from nodevms.audit.contents_needed import ContentsNeeded
from nodevms.audit.copy_limits import CopyLimits
from nodevms.audit.feed_ties import first_entry, reflected_length
from nodevms.audit.kept import Kept
from nodevms.dat import Fetch
from nodevms.errors import CouldNotCheckError, NodeVMSError, StorageError
from nodevms.feed import known_fork, parse_dat_url
from nodevms.feed.merkle import NODE_BYTES

if TYPE_CHECKING:
    from nodevms.audit.copy_place import CopyPlace
    from nodevms.dat import Network
    from nodevms.feed import PartialFeed
    from nodevms.vm.entries import Init

LOOK_SECONDS: Final = 0.25
GO_ON: Final = "Run the command again to go on where it stopped."
COMPARING_SECONDS: Final = 0.5
COMPARING_SECONDS_MAX: Final = 3.0
LOG: Final = "call log"
ARCHIVE: Final = "files archive"
CONTENTS: Final = "files' contents"


class CopyListener(Protocol):
    """Hears how a copy goes on."""

    def fetching(self, what: str, done: int, total: int) -> None:
        """Hear of (bytes so far, bytes in all) of a feed."""


class NetworkCopy:
    """Copies one backend from the network.

    Args:
        network: Has started.
        place: Where it goes.
        log_key: The call log's public key.
        limits: What it may cost; the usual if None.
        listener: Hears of the progress.
        live: Go on with what is new.
    """

    def __init__(
        self,
        network: Network,
        place: CopyPlace,
        log_key: bytes,
        *,
        limits: CopyLimits | None = None,
        listener: CopyListener,
        live: bool = False,
    ) -> None:
        self._network = network
        self._place = place
        self._limits = limits or CopyLimits()
        self._listener = listener
        self._live = live
        self._fetches: list[Fetch] = []
        self.log = self._begin(place.log(log_key))
        self.metadata: Fetch | None = None
        self.content: Fetch | None = None
        self.first: Init | None = None
        self._needs = ContentsNeeded(self.log.feed)

    @property
    def peers(self) -> int:
        """How many peers there are that have the log."""
        return self.log.peers

    async def find(self) -> Init:
        """Find the log, and learn from its first entry which feeds the files are.

        Raises:
            NotALogError: The log is a drive.
            CouldNotCheckError: Nobody was found, or the log is another program's.
            ForkError: The log has two histories.
        """
        if self.first is None:
            feed = self.log.feed
            await self._until(
                self.log,
                lambda: feed.length > 0 and feed.has(0),
                self.log.say_absent,
                code="dat-nobody",
                seconds=self._limits.find_seconds,
            )
            self.first = first_entry(feed.get(0), feed.key)
            self.metadata = self._begin(
                self._place.metadata(parse_dat_url(self.first.filesArchiveUrl)),
                drive=True,
                beside=feed.key,
            )
            self.content = self._begin(
                self._place.content(bytes.fromhex(self.first.contentKey)),
                beside=self.metadata.feed.key,
            )
        return self.first

    async def complete(self) -> Kept:
        """Have everything that the network has at this moment, and return how much it is.

        A copy that is not live asks for no more of a feed from the moment at which that is whole: a
        backend that goes on meanwhile would leave it with parts of what came later.

        Raises:
            CouldNotCheckError: It does not come, or is more than is fetched.
            ForkError: A feed has two histories.
            StorageError: It cannot be written.
        """
        await self.find()
        if self.metadata is None or self.content is None:
            raise CouldNotCheckError("the log does not say where the files are")
        # What was published must not be newer than the log.
        await self._whole(LOG, self.log)
        await self._whole(ARCHIVE, self.metadata)
        self._settle(self.metadata)
        await self._whole(LOG, self.log, reflected_length(self.metadata.feed))
        self._settle(self.log)
        needed = await asyncio.to_thread(self._needs.blocks)
        await self._whole(CONTENTS, self.content, needed)
        self._settle(self.content)
        if not self._live:
            await self._compare_heads()
        return await self.keep()

    async def keep(self) -> Kept:
        """Put on the disk what came, and return what is there whatever happens now.

        Raises:
            StorageError: It cannot be written.
        """
        kept = Kept.of(self.log.feed, None if self.content is None else self.content.feed)
        for fetch in self._fetches:
            await fetch.flush()
        return kept

    async def changed(self, seconds: float) -> None:
        """Return when a feed has grown, and look for that only so often.

        Raises:
            ForkError: A feed has two histories.
            StorageError: What came cannot be stored.
        """
        before = [fetch.feed.length for fetch in self._fetches]
        while [fetch.feed.length for fetch in self._fetches] == before:
            await asyncio.sleep(seconds)
            for fetch in self._fetches:
                await fetch.news(0)

    async def settle(self, seconds: float) -> None:
        """Have what is missing below the lengths that are known, if it comes in time."""
        with suppress(TimeoutError, NodeVMSError):
            async with asyncio.timeout(seconds):
                while not all(fetch.complete for fetch in self._fetches):
                    await asyncio.sleep(LOOK_SECONDS)
                    for fetch in self._fetches:
                        await fetch.news(0)

    async def end(self) -> None:
        """Ask for nothing more, and put on the disk what came.

        Raises:
            StorageError: Something cannot be written; all else is.
        """
        failure: StorageError | None = None
        for fetch in self._fetches:
            try:
                await fetch.end()
            except StorageError as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def _settle(self, fetch: Fetch) -> None:
        """Let a feed that is whole at this moment stay so; nothing may happen in between."""
        if not self._live:
            fetch.settle()

    async def _compare_heads(self) -> None:
        """Give peers that were found a moment to show heads that contradict what came."""
        end = time.monotonic() + COMPARING_SECONDS_MAX
        while True:
            for fetch in self._fetches:
                await fetch.news(COMPARING_SECONDS / len(self._fetches))
            if time.monotonic() > end or not any(fetch.comparing for fetch in self._fetches):
                return

    def _begin(
        self, feed: PartialFeed, *, drive: bool = False, beside: bytes | None = None
    ) -> Fetch:
        fetch = Fetch(
            self._network,
            feed,
            evidence=self._place.evidence,
            live=self._live,
            drive=drive,
            beside=beside,
        )
        self._fetches.append(fetch)
        fetch.begin()
        if (fork := known_fork(self._place.evidence, feed.key)) is not None:
            fetch.give_up(fork)
        return fetch

    async def _whole(self, what: str, fetch: Fetch, length: int = 0) -> None:
        """Have all of a feed, and at least so many blocks of it if anybody has them."""
        feed = fetch.feed

        def here() -> bool:
            self._listener.fetching(what, fetch.progress.bytes, feed.byte_length)
            self._refuse_too_much()
            return fetch.complete and (fetch.heard or feed.length >= length > 0)

        await self._until(
            fetch,
            here,
            lambda: f"nothing more came of the {what}",
            code="dat-stalled",
            seconds=self._limits.stall_seconds,
        )
        if feed.length < length:  # more may be on its way; else the verifier says what lacks
            deadline = time.monotonic() + 2.0
            while feed.length < length and time.monotonic() < deadline:
                await fetch.news(LOOK_SECONDS)
            await self._whole(what, fetch)

    async def _until(
        self,
        fetch: Fetch,
        condition: Callable[[], bool],
        complaint: Callable[[], str],
        *,
        code: str,
        seconds: float,
    ) -> None:
        seen, since = None, time.monotonic()
        while not condition():
            await fetch.news(LOOK_SECONDS)
            for other in self._fetches:
                other.check()
            now = (fetch.feed.length, fetch.progress.blocks, fetch.heard)
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > seconds:
                raise CouldNotCheckError(complaint(), code=code, hint=_hint(code))

    def _refuse_too_much(self) -> None:
        feeds = [fetch.feed for fetch in self._fetches]
        size = sum(feed.byte_length + 2 * NODE_BYTES * feed.length for feed in feeds)
        if size > self._limits.bytes_max:
            raise CouldNotCheckError(
                f"the backend has {size:,} bytes; at most {self._limits.bytes_max:,} are fetched",
                code="ceiling",
                hint="Fetch more with --max-download BYTES.",
            )
        free = shutil.disk_usage(self._place.layout.root).free
        missing = size - sum(fetch.progress.bytes for fetch in self._fetches)
        if missing > free and not all(fetch.complete for fetch in self._fetches):
            raise CouldNotCheckError(
                f"the backend has {size:,} bytes; {self._place.layout.root} has {free:,} free",
                code="disk-full",
                hint="Choose a larger disk.",
            )


def _hint(code: str) -> str:
    if code == "dat-nobody":
        return "Is it shared now? Name somebody who has it with --peer HOST:PORT."
    return GO_ON
