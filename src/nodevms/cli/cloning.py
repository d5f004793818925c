"""What ``nodevms clone`` does: find a drive, bring a folder to a version, and stop in order."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from nodevms.cli.dat_urls import DRIVE, dat_key, say_what_it_is
from nodevms.cli.network_options import NetworkWish, joined
from nodevms.cli.verify_screen import Screen
from nodevms.errors import CouldNotCheckError, NodeVMSError, UsageError

if TYPE_CHECKING:
    from nodevms.dat import Fetch, Network
    from nodevms.dat.clone import ClonePlace, Cloning, Progress, Result

_VERSIONED: Final = re.compile(r"(dat://[0-9a-fA-F]{64})\+(\d{1,16})/?")
DAY_SECONDS: Final = 24 * 3600.0
LOOK_SECONDS: Final = 0.25
_KEPT: Final = "What came is kept: run the command again to go on where it stopped."


@dataclass(frozen=True, slots=True)
class CloneTask:
    """What the user asked for.

    Attributes:
        key: The drive's public key.
        directory: Where it goes.
        version: Which version; None for the newest.
        live: Follow the newest.
        seconds_max: When to give up; by default after a day, or never with ``live``.
        bytes_max: The most that is fetched; None for the usual.
        network: How to find it.
        patience_seconds: How long nothing may come.
    """

    key: bytes
    directory: Path
    version: int | None
    live: bool
    seconds_max: float | None
    bytes_max: int | None
    network: NetworkWish
    patience_seconds: float

    @classmethod
    def of(
        cls,
        url: str,
        directory: Path | None,
        version: int | None,
        live: bool,
        seconds_max: float | None,
        bytes_max: int | None,
        network: NetworkWish,
        patience_seconds: float,
    ) -> Self:
        """Return the task that a command line names.

        Raises:
            UsageError: It makes no sense.
        """
        versioned = _VERSIONED.fullmatch(url)
        if versioned is not None:
            if version is not None:
                raise UsageError("the version is named twice: in the URL and with --version")
            url, version = versioned[1], int(versioned[2])
        if live and version is not None:
            raise UsageError("--live follows the newest version, and one is named")
        if seconds_max is None and not live:
            seconds_max = DAY_SECONDS
        key = dat_key(url, DRIVE, "clone")
        network.require()
        place = directory or Path(key.hex())
        return cls(key, place, version, live, seconds_max, bytes_max, network, patience_seconds)

    async def run(self, screen: Screen, report: Callable[[Result], None]) -> None:
        """Clone, and report each version that the folder has.

        Args:
            screen: Shows how far it is.
            report: Is called with what came of each version.

        Raises:
            NodeVMSError: It could not be done.
        """
        work = asyncio.ensure_future(self._clone(screen, report))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        done, _ = await asyncio.wait([work], timeout=self.seconds_max)
        if not done:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            raise CouldNotCheckError(
                f"it takes longer than {self.seconds_max:g} seconds", code="time", hint=_KEPT
            )
        if not work.cancelled():
            work.result()
        elif not self.live:
            raise CouldNotCheckError("it was interrupted", code="interrupted", hint=_KEPT)

    async def _clone(self, screen: Screen, report: Callable[[Result], None]) -> None:
        from nodevms.dat.clone import BYTES_MAX, CloneLimits, ClonePlace, Cloning, NotADriveError

        limits = CloneLimits(
            bytes_max=self.bytes_max or BYTES_MAX, patience_seconds=self.patience_seconds
        )
        with ClonePlace.open(self.directory, self.key) as place:
            async with joined(self.network) as network:
                fetches = _Fetches(network, place)
                cloning = Cloning(
                    place,
                    fetches.metadata(),
                    fetches.content,
                    limits=limits,
                    progress=lambda progress: _show(screen, progress),
                    wall_clock=time.time,
                )
                try:
                    await fetches.unless_failed(self._follow(cloning, report))
                except NotADriveError as error:
                    say_what_it_is(error)
                    raise
                finally:
                    await fetches.end()

    async def _follow(self, cloning: Cloning, report: Callable[[Result], None]) -> None:
        if not self.live:
            report(await cloning.run(self.version))
            return
        async for result in cloning.follow():
            report(result)


class _Fetches:
    """The downloads of a drive's two feeds, into a clone's own folder."""

    def __init__(self, network: Network, place: ClonePlace) -> None:
        self._network = network
        self._place = place
        self._begun: list[Fetch] = []

    def metadata(self) -> Fetch:
        """Begin with the metadata."""
        return self._begin("metadata.", self._place.key)

    def content(self, key: bytes) -> Fetch:
        """Begin with the contents, at whoever has the metadata."""
        return self._begin("content.", key)

    async def unless_failed(self, work: Coroutine[Any, Any, None]) -> None:
        """Work, and stop when one of the downloads cannot go on.

        Raises:
            NodeVMSError: Why it cannot, or as the work.
        """
        working = asyncio.ensure_future(work)
        failing = asyncio.ensure_future(self._failed())
        try:
            await asyncio.wait((working, failing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, failing):
                task.cancel()
            await asyncio.wait((working, failing))
        if not failing.cancelled():
            failing.result()
        working.result()

    async def _failed(self) -> None:
        """Wait until a download has failed, and raise that."""
        while True:
            for fetch in self._begun:
                fetch.check()
            await asyncio.sleep(LOOK_SECONDS)

    async def end(self) -> None:
        """End all, and close the feeds."""
        for fetch in self._begun:
            with suppress(NodeVMSError):  # what could not be flushed will be fetched again
                await fetch.end()
            fetch.feed.close()

    def _begin(self, prefix: str, key: bytes) -> Fetch:
        from nodevms.audit import default_state_folder
        from nodevms.dat import Fetch

        is_drive = key == self._place.key
        fetch = Fetch(
            self._network,
            self._place.feed(prefix, key),
            evidence=default_state_folder() / "evidence",
            ranges=(),
            live=True,
            drive=is_drive,
            beside=None if is_drive else self._place.key,
        )
        self._begun.append(fetch)
        fetch.begin()
        return fetch


def _show(screen: Screen, progress: Progress) -> None:
    if progress.stage == "files":
        screen.downloaded("files", progress.bytes, progress.bytes_total)
