"""What ``nodevms verify`` does: get log and files, wherever they are, and verify them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from nodevms.cli.dat_urls import CALL_LOG, dat_key
from nodevms.cli.network_options import NetworkWish, joined
from nodevms.cli.target import (
    directory_of,
    has_secret_key,
    never_held_a_backend,
    taken_for_an_address,
)
from nodevms.cli.verify_screen import Screen
from nodevms.errors import CouldNotCheckError, ProvedFalseError, UsageError

if TYPE_CHECKING:
    from nodevms.audit import Deadline, Expectations, Report, SavedAnswer
    from nodevms.rpc.client import BackendInfo

T = TypeVar("T")

_NOT_READ: Final = frozenset({"connection-failed", "fetch-failed"})
"""Codes of a server that cannot be read: somebody else may have its log and files."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the log and the files came from.

    Attributes:
        kind: ``directory``, ``http`` or ``dat``.
        peers: How many peers had the log, for ``dat``.
    """

    kind: str
    peers: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """What the reader asked for."""

    expectations: Expectations
    remember: bool
    deadline: Deadline
    bytes_max: int
    network: NetworkWish
    screen: Screen
    answers: Sequence[SavedAnswer] = ()

    def verify(self, target: str, directory: Path | None) -> tuple[Report, Source]:
        """Verify a directory, or fetch and verify.

        Raises:
            NodeVMSError: It is false, or could not be checked.
        """
        if target.startswith("dat:"):
            return self._of_network(self._log_key(target), directory)
        there = directory_of(target)
        if there is None:
            return self._of_server(target, directory)
        if directory is not None:
            raise UsageError("--dir is for what is fetched; a directory is verified as it is")
        if never_held_a_backend(there):
            raise CouldNotCheckError(
                f"{target} holds no backend",
                code="feed-missing",
                hint="DIR is the directory that exec names, or one that verify --dir filled.",
            )
        report = self._verify(there, from_others=not has_secret_key(there))
        return report, Source("directory")

    def _log_key(self, url: str) -> bytes:
        from nodevms.feed import dat_url

        key = dat_key(url, CALL_LOG, "verify")
        if self.expectations.log_key not in (None, key):
            raise UsageError(f"--log is another log than {dat_url(key)}")
        return key

    def _of_server(self, target: str, directory: Path | None) -> tuple[Report, Source]:
        """Fetch from a server; if it cannot be read, and the log is known, from the network."""
        log_key = self.expectations.log_key
        with nullcontext(str(directory)) if directory else tempfile.TemporaryDirectory() as place:
            try:
                with taken_for_an_address(target):
                    info = asyncio.run(self._in_time(self._fetch(target, Path(place))))
            except CouldNotCheckError as error:
                if error.code not in _NOT_READ or not self.network.is_any:
                    raise
                if log_key is None:
                    error.hint = error.hint or "With --log dat://… the Dat network is asked, too."
                    raise
                self.screen.say(f"The server cannot be read: {error}.")
            else:
                report = self._verify(Path(place))
                _compare_claims(info, report)
                return report, Source("http")
        return self._of_network(log_key, directory)

    def _of_network(self, log_key: bytes, directory: Path | None) -> tuple[Report, Source]:
        from nodevms.audit import default_state_folder

        self.network.require()
        evidence = None if directory else default_state_folder() / "evidence"
        with nullcontext(str(directory)) if directory else tempfile.TemporaryDirectory() as place:
            copied = self._copy(log_key, Path(place), evidence)
            peers = asyncio.run(self._in_time(copied))
            return self._verify(Path(place), from_others=True), Source("dat", peers)

    def _verify(self, place: Path, *, from_others: bool = False) -> Report:
        from nodevms.audit import Memory, Verifier, default_state_folder
        from nodevms.sandbox import Engine

        memory = Memory(default_state_folder()) if self.remember else None
        verifier = Verifier(Engine(), memory=memory, deadline=self.deadline)
        expectations = replace(self.expectations, from_others=from_others)
        return verifier.verify(place, expectations, self.screen, self.answers)

    async def _in_time(self, fetching: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self.deadline.left):
                return await fetching
        except TimeoutError:
            raise self.deadline.over("fetching") from None

    async def _fetch(self, target: str, place: Path) -> BackendInfo:
        from nodevms.audit import Fetcher
        from nodevms.rpc import RPCClient, parse_backend_url

        address, screen = parse_backend_url(target), self.screen
        screen.say(f"Connecting to {address.ws}...")
        async with RPCClient() as client:
            await client.connect(target)
            info = client.info
        if info is None:
            raise CouldNotCheckError(f"{address.ws} did not say what it serves")
        screen.say("Connected.")
        fetcher = Fetcher(
            address.http,
            place,
            bytes_max=self.bytes_max,
            allow_older=self.expectations.allow_older,
        )
        log_found, files_found = await fetcher.heads()
        expected = self.expectations
        _compare_keys("call log", log_found, info.call_log_url, expected.log_key)
        _compare_keys("files archive", files_found, info.files_archive_url, expected.files_key)
        screen.say("Downloading call log...")
        await fetcher.fetch("call-log", screen.downloading("call log"))
        screen.say("Downloading files archive...")
        await fetcher.fetch("metadata", screen.downloading("files archive"))
        await fetcher.fetch("content", screen.downloading("files' contents"))
        screen.close()
        return info

    async def _copy(self, log_key: bytes, place: Path, evidence: Path | None) -> int:
        """Copy from the network, and return how many peers had the log."""
        from nodevms.audit.copy_limits import CopyLimits
        from nodevms.audit.copy_place import CopyPlace
        from nodevms.audit.network_copy import NetworkCopy
        from nodevms.feed import dat_url

        screen = self.screen
        screen.say(f"Looking for {dat_url(log_key)} in the Dat network...")
        with CopyPlace(place, log_key, evidence=evidence) as copied:
            async with joined(self.network) as network:
                limits = CopyLimits(bytes_max=self.bytes_max)
                copy = NetworkCopy(network, copied, log_key, limits=limits, listener=screen)
                try:
                    await copy.find()
                    screen.say("Found.")
                    await copy.complete()
                    return copy.peers
                finally:
                    screen.close()
                    await copy.end()


def _compare_claims(info: BackendInfo, report: Report) -> None:
    """Hold what the server said of its script against the log that was verified."""
    from nodevms.audit.divergence import shorten

    if not info.code_hash:  # a server that says nothing of it
        return
    start = next((start for start in report.epochs if start.seq == info.epoch), None)
    found = "no start" if start is None else f"the start of script {start.code_hash}"
    if start is None or start.code_hash != info.code_hash:
        raise ProvedFalseError(
            f"the server says that it runs script {shorten(info.code_hash)} since entry "
            f"{info.epoch}; that entry is {found}",
            code="handshake-false",
        )
    if info.debug != report.debug:
        raise ProvedFalseError(
            "the server says that it runs "
            + ("in debug mode" if info.debug else "outside debug mode")
            + "; its log says otherwise",
            code="handshake-false",
        )


def _compare_keys(name: str, found: bytes, claimed: str, expected: bytes | None) -> None:
    from nodevms.audit.divergence import shorten
    from nodevms.feed import dat_url

    if expected is not None and found != expected:
        raise ProvedFalseError(
            f"the {name} is {dat_url(found)}, not {dat_url(expected)}", code="other-key"
        )
    if dat_url(found) != claimed:
        raise ProvedFalseError(
            f"the server says that its {name} is {shorten(claimed)}, and serves {dat_url(found)}",
            code="other-key",
        )
