"""A drive cloned over the network: its version read, its contents fetched, its files put in place.

The network is behind :class:`Fetching`: it downloads the blocks that it is told to want, and proves
each before it is stored. What it costs is bounded here: bytes, entries, and how long nothing may
come. Work on files and on the record is done on other threads than the event loop's.

Of a short history all metadata are fetched, so that others can have them of us; of a long one only
the blocks that the version needs. Measured (50 changes a publication): 1,000 files with a history
of 50,000 changes are read from 1,000 blocks of 50,041, in three rounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

from nodevms.archive import TreeScan
from nodevms.archive.tree_node import TreeNode
from nodevms.dat.clone.checkout import Checkout, Need
from nodevms.dat.clone.contents import Contents
from nodevms.dat.clone.fetching import wait_for
from nodevms.dat.clone.header import content_key
from nodevms.dat.clone.records import OnProgress, Progress, Result
from nodevms.errors import CouldNotCheckError, UsageError

if TYPE_CHECKING:
    from nodevms.dat.clone.fetching import CloneLimits, Fetching
    from nodevms.dat.clone.place import ClonePlace

WHOLE_HISTORY_MAX: Final = 4096
"""Up to so many blocks of metadata are fetched whether the version needs them or not."""
_NOBODY: Final = "Nobody was found who has this drive."

T = TypeVar("T")


class Cloning:
    """Brings one folder to a version, or follows the newest.

    Args:
        place: The folder.
        metadata: The download of the drive's metadata.
        fetch_content: Begins the download of the content feed with this key.
        limits: What it may cost.
        progress: Hears how far it is.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        place: ClonePlace,
        metadata: Fetching,
        fetch_content: Callable[[bytes], Fetching],
        *,
        limits: CloneLimits,
        progress: OnProgress,
        wall_clock: Callable[[], float],
    ) -> None:
        self._place = place
        self._metadata = metadata
        self._fetch_content = fetch_content
        self._limits = limits
        self._progress = progress
        self._wall_clock = wall_clock
        self._content: Fetching | None = None
        self._stopped = False

    async def run(self, version: int | None = None) -> Result:
        """Bring the folder to a version. What was interrupted goes on where it stopped.

        Args:
            version: Which; by default the newest that a peer has.

        Raises:
            BadDriveError: The drive contradicts itself.
            NotADriveError: What has this key is no drive.
            CouldNotCheckError: Nobody has it, nothing comes any more, or it is beyond a limit.
            StorageError: The folder cannot be written.
            UsageError: The version was never published.
        """
        content = await self._open()
        version = await self._find_version(version)
        checkout = Checkout(self._place, content.feed, clock=self._wall_clock, check=self._check)
        if checkout.planned != version:
            await self._list(checkout, version)
        self._check_room(await self._thread(checkout.compare))
        contents = Contents(
            checkout,
            content,
            self._place.content_data,
            progress=self._progress,
            patience_seconds=self._limits.patience_seconds,
            thread=self._thread,
        )
        await contents.fetch()
        await self._thread(content.feed.flush)
        return await self._thread(checkout.complete)

    async def follow(self) -> AsyncIterator[Result]:
        """Bring the folder to the newest version again and again; yield what came of each."""
        while True:
            result = await self.run()
            yield result
            while self._metadata.feed.length - 1 <= result.version:
                await self._metadata.news(self._limits.patience_seconds)

    async def _open(self) -> Fetching:
        """Learn which feed has the contents, and begin with it."""
        if self._content is None:
            metadata = self._metadata.feed
            self._metadata.want([(0, 1)])
            await wait_for(
                self._metadata,
                lambda: metadata.length > 0 and metadata.has(0),
                self._limits.patience_seconds,
                _NOBODY,
                code="dat-nobody",
            )
            self._content = self._fetch_content(content_key(self._place.key, metadata.get(0)))
        return self._content

    async def _find_version(self, version: int | None) -> int:
        fetching, patience = self._metadata, self._limits.patience_seconds
        metadata = fetching.feed
        if version is None:
            await wait_for(fetching, lambda: fetching.heard, patience, _NOBODY, code="dat-nobody")
            return metadata.length - 1
        await wait_for(
            fetching,
            lambda: metadata.length > version,
            patience,
            f"Nobody was found who has version {version} of the drive.",
            code="no-such-version",
        )
        if version:
            await self._refuse_inside_publication(version)
        return version

    async def _refuse_inside_publication(self, version: int) -> None:
        """Refuse what was never meant to be read: a version in the middle of a publication."""
        metadata = self._metadata.feed
        newest = metadata.length - 1
        await self._bring({version, newest})
        one, other = (TreeNode.decode(seq, metadata.get(seq)) for seq in (version, newest))
        if one.marker is None and other.marker is not None:
            raise UsageError(
                f"Version {version} lies inside a publication of a backend's files.",
                code="inside-publication",
                hint=f"All changes of a publication came at once. The newest version is {newest}.",
            )

    async def _list(self, checkout: Checkout, version: int) -> None:
        metadata = self._metadata.feed
        if version < WHOLE_HISTORY_MAX:
            self._limits.refuse_bytes(metadata.byte_length)
            await self._bring(range(version + 1))
        scan = TreeScan(metadata, version)
        entries = checkout.list_version(version, scan, entries_max=self._limits.entries_max)
        fetched = 0
        while (found := await self._thread(lambda: next(entries, None))) is not None:
            self._progress(Progress("listing", found, 0, 0, 0))
            missing = scan.missing
            await self._bring(missing)
            fetched += sum(metadata.node(2 * seq).size for seq in missing)
            self._limits.refuse_bytes(fetched)

    async def _bring(self, blocks: Iterable[int]) -> None:
        """Have these blocks of the metadata, flushed."""
        metadata = self._metadata.feed
        left = [seq for seq in sorted(blocks, reverse=True) if not metadata.has(seq)]
        if not left:
            return
        self._metadata.want(_runs(reversed(left)))

        def here() -> bool:
            while left and metadata.has(left[-1]):
                left.pop()
            return not left

        await wait_for(
            self._metadata,
            here,
            self._limits.patience_seconds,
            "Nobody was found who has all of the drive's metadata.",
            code="dat-stalled",
            seen=lambda: sum(map(metadata.has, left[-1000:])) - 1000 * len(left),
        )
        await self._thread(metadata.flush)

    def _check_room(self, need: Need) -> None:
        written = need.disk_bytes - need.here_bytes
        self._limits.refuse_bytes(max(written, need.download_bytes - need.here_bytes))
        free = self._place.free_bytes()
        if written > free:
            raise CouldNotCheckError(
                f"The files take {written:,} bytes more; "
                f"{self._place.folder.path} has {free:,} free.",
                code="disk-full",
                hint="Choose a folder on a larger disk.",
            )

    def _check(self) -> None:
        if self._stopped:
            raise CouldNotCheckError("It was interrupted.", code="interrupted")

    async def _thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Work on another thread, which is done with it before anything else happens."""
        task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._stopped = True
            await asyncio.wait([task])
            raise


def _runs(ascending: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, one past the last) of each run of neighbours."""
    start = end = None
    for number in ascending:
        if start is None or number != end:
            if start is not None and end is not None:
                yield start, end
            start = number
        end = number + 1
    if start is not None and end is not None:
        yield start, end
