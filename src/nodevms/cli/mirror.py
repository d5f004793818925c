"""``nodevms mirror``: keep a backend readable and auditable, also after its host is gone."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nodevms.cli.dat_urls import CALL_LOG, dat_key
from nodevms.cli.error_report import report_error
from nodevms.cli.host_log import HostLog, TextLines
from nodevms.cli.network_options import NetworkWish, joined, network_options, swarm_port_option
from nodevms.cli.options import max_download_option
from nodevms.cli.printable import printable

if TYPE_CHECKING:
    from nodevms.audit.kept import Kept
    from nodevms.audit.network_copy import NetworkCopy
    from nodevms.feed import ForkError

SAID_SECONDS: Final = 1.0
"""How often at most it is said what the mirror has."""
NOBODY_SECONDS: Final = 5.0
"""After how long it is said that nobody was found yet."""
LAST_SECONDS: Final = 2.0
"""How long a mirror that stops waits for the last blocks of what it knows to be signed."""
_STANDARD_ERROR: Final = 2


@click.command(short_help="Keep a copy of a backend, and serve it on.")
@click.argument("url", metavar="dat://LOGKEY")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Copy what there is now, and end.")
@swarm_port_option
@max_download_option
@network_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON objects, one a line.")
def command(
    url: str,
    directory: Path | None,
    once: bool,
    swarm_port: int,
    bytes_max: int | None,
    network: NetworkWish,
    as_json: bool,
) -> None:
    """Copy a backend's call log and files into DIR, follow them, and serve them on.

    dat://LOGKEY is the URL behind "Call log:" that exec prints. Whoever looks for the backend's log
    or files in the Dat network finds the mirror, also when the backend itself is gone. Every block
    is proved before it is stored; `nodevms verify DIR` replays what is there. By default DIR is the
    key, in the current folder. Stop with Ctrl+C; the next run goes on where this one stopped.

    Exits with 0 when it was stopped or, with --once, is complete, 1 when a feed's key is proved to
    have signed two histories, 2 on wrong usage, and 3 when it cannot go on: a full disk, or more
    bytes than --max-download.

    \b
    nodevms mirror dat://7081…bbef
    nodevms mirror dat://7081…bbef ./counter-mirror --once
    """  # noqa: D301
    from nodevms.audit.copy_limits import FETCH_BYTES_MAX

    key = dat_key(url, CALL_LOG, "mirror")
    network.require()
    place = directory or Path(key.hex())
    with HostLog(_STANDARD_ERROR) as log:
        log.setFormatter(TextLines())
        logging.getLogger("nodevms").setLevel("INFO")
        mirror = _Mirror(key, place, network, swarm_port, bytes_max or FETCH_BYTES_MAX, as_json)
        asyncio.run(mirror.run(once=once))
    if mirror.fork is not None:
        sys.exit(mirror.fork.exit_code)


class _Mirror:
    """One mirror, from its start to its end.

    Attributes:
        fork: What was proved of one of the feeds, if it was.
    """

    def __init__(
        self,
        key: bytes,
        directory: Path,
        network: NetworkWish,
        port: int,
        bytes_max: int,
        as_json: bool,
    ) -> None:
        self._key = key
        self._directory = directory
        self._network = network
        self._port = port
        self._bytes_max = bytes_max
        self._as_json = as_json
        self._said: dict[str, object] = {}
        self.fork: ForkError | None = None

    async def run(self, *, once: bool) -> None:
        from nodevms.audit.copy_limits import CopyLimits
        from nodevms.audit.copy_place import CopyPlace
        from nodevms.audit.network_copy import NetworkCopy
        from nodevms.feed import dat_url

        stopping = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        patience = {} if once else {"find_seconds": float("inf"), "stall_seconds": float("inf")}
        limits = CopyLimits(bytes_max=self._bytes_max, **patience)
        directory = self._directory.absolute()
        with CopyPlace(directory, self._key) as place:
            async with joined(self._network, self._port) as network:
                port = network.swarm.port
                click.echo(f"Sharing with the Dat network on port {port}", err=self._as_json)
                self._say(f"Mirroring {dat_url(self._key)}")
                self._say(f"Mirror directory {click.format_filename(directory)}\n")
                copy = NetworkCopy(
                    network, place, self._key, limits=limits, listener=self, live=not once
                )
                try:
                    await self._until_stopped(copy, stopping, once=once)
                finally:
                    await copy.settle(LAST_SECONDS)
                    await network.last_words()
                    await copy.end()

    def fetching(self, what: str, done: int, total: int) -> None:
        """Hear how a copy goes on; only what is whole is said."""

    async def _until_stopped(
        self, copy: NetworkCopy, stopping: asyncio.Event, *, once: bool
    ) -> None:
        following = asyncio.ensure_future(self._complete(copy) if once else self._follow(copy))
        asked = asyncio.ensure_future(stopping.wait())
        await asyncio.wait((following, asked), return_when=asyncio.FIRST_COMPLETED)
        if following.done() and (error := following.exception()) is not None:
            asked.cancel()
            raise error
        asked.cancel()
        if not following.done():
            following.cancel()
            await asyncio.wait([following])

    async def _follow(self, copy: NetworkCopy) -> None:
        looking = asyncio.ensure_future(self._say_if_nobody(copy))
        try:
            await self._follow_for_ever(copy)
        finally:
            looking.cancel()

    async def _say_if_nobody(self, copy: NetworkCopy) -> None:
        await asyncio.sleep(NOBODY_SECONDS)
        if not copy.peers:
            click.echo("Nobody was found yet who has it. It goes on looking.", err=True)

    async def _follow_for_ever(self, copy: NetworkCopy) -> None:
        from nodevms.feed import ForkError

        if copy.log.feed.length:  # of an earlier run: it is served from now on
            await copy.find()
            self._tell(copy, await copy.keep())
        try:
            while True:
                await self._complete(copy)
                await copy.changed(SAID_SECONDS)
        except ForkError as error:
            # What is here was proved before: it is served on, for those who compare.
            report_error(error)
            self.fork = error
            await asyncio.Event().wait()

    async def _complete(self, copy: NetworkCopy) -> None:
        self._tell(copy, await copy.complete())

    def _tell(self, copy: NetworkCopy, kept: Kept) -> None:
        """Say what is on the disk, if that is news."""
        if copy.first is None:
            return
        facts: dict[str, object] = {
            "title": copy.first.title,
            "entries": kept.entries,
            "filesArchiveUrl": copy.first.filesArchiveUrl,
            "filesBytes": kept.files_bytes,
        }
        if facts == self._said:
            return
        first = not self._said
        self._said = facts
        if self._as_json:
            click.echo(json.dumps({**facts, "peers": copy.peers}))
        else:
            if first:
                click.echo(f"Title:    {printable(copy.first.title)}")
                click.echo(f"Files:    {copy.first.filesArchiveUrl}")
            entries = "entry" if kept.entries == 1 else "entries"
            size = "byte" if kept.files_bytes == 1 else "bytes"
            click.echo(f"Has {kept.entries:,} {entries} and {kept.files_bytes:,} {size} of files.")
        sys.stdout.flush()

    def _say(self, text: str) -> None:
        if not self._as_json:
            click.echo(text)
            sys.stdout.flush()
