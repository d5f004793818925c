"""The verifier: one directory with a log and files, and the question whether they are true.

In this order: every hash and signature of the three feeds; the keys that the reader expects; the
replay of each entry, with each file's content and each publication compared on the way; and
last, whether this is the continuation of what the reader saw before.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from nodevms.archive import State, TemporaryContents
from nodevms.audit.checked_feeds import CheckedFeeds, Expectations
from nodevms.audit.published import PublishedDrive
from nodevms.audit.replay import Epoch, Replay
from nodevms.audit.seen import Memory, SeenHead, check_against_memory
from nodevms.feed import Head
from nodevms.sandbox import Engine
from nodevms.vm.directory import Layout
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.entries import time_of
from nodevms.vm.limits import CEILINGS, Limits

REPLAY_DISK_BYTES_MAX: Final = 8 * 1024**3


class Listener(Protocol):
    """Hears how a verification goes on."""

    def replaying(self, entries: int) -> None:
        """The log's hashes and signatures are right; it will be replayed."""

    def replayed(self, entries: int) -> None:
        """So many entries were replayed and agree."""

    def comparing(self) -> None:
        """The replay is over; what is left is compared."""


class _Silence:
    def replaying(self, entries: int) -> None:
        pass

    def replayed(self, entries: int) -> None:
        pass

    def comparing(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Report:
    """What was verified.

    Attributes:
        log_key: The call log's public key.
        files_key: The drive's public key.
        head: The signed head of the log that was replayed.
        entries: Number of entries.
        calls: Number of calls among them.
        gas: Gas of all entries.
        epochs: The starts, in order.
        debug: Whether callers could name themselves.
        files_version: The version of the files after the last entry.
        files_root: The state root after the last entry, in hex.
        publications: How many publications of the drive were compared.
        published_entries: The log length that the newest publication reflects.
        lag: Whether files changed since then.
        seen_before: How many entries this user had seen before.
    """

    log_key: bytes
    files_key: bytes
    head: Head
    entries: int
    calls: int
    gas: int
    epochs: tuple[Epoch, ...]
    debug: bool
    files_version: int
    files_root: str
    publications: int
    published_entries: int
    lag: bool
    seen_before: int


class Verifier:
    """Verifies a backend from its directory, or from a copy that was fetched.

    Args:
        engine: The engine that this release ships; by default it is loaded.
        memory: What this user saw of logs before; None to neither ask nor remember.
        ceilings: The highest limits that are replayed.
        disk_bytes_max: How much a replay may write to temporary files.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        memory: Memory | None = None,
        ceilings: Limits = CEILINGS,
        disk_bytes_max: int = REPLAY_DISK_BYTES_MAX,
    ) -> None:
        self._engine = engine or Engine()
        self._memory = memory
        self._ceilings = ceilings
        self._disk_bytes_max = disk_bytes_max

    def verify(
        self,
        directory: Path | str,
        expectations: Expectations = Expectations(),  # noqa: B008 - frozen
        listener: Listener | None = None,
    ) -> Report:
        """Check everything in a directory.

        Args:
            directory: A backend's directory, or a fetched copy.
            expectations: What the reader knows.
            listener: Hears of the progress.

        Raises:
            ProvedFalseError: Something is false; the message names the entry.
            CouldNotCheckError: Something is missing, or beyond what this program replays.
        """
        feeds = CheckedFeeds(Layout(Path(directory)), expectations)
        try:
            return on_engine_thread(
                lambda: self._replay(feeds, expectations, listener or _Silence())
            )
        finally:
            feeds.close()

    def _replay(
        self, feeds: CheckedFeeds, expectations: Expectations, listener: Listener
    ) -> Report:
        length = feeds.log_head.length
        listener.replaying(length)
        state = State.open(None)
        contents = TemporaryContents(self._disk_bytes_max)
        replay = Replay(
            self._engine,
            state=state,
            contents=contents,
            files_key=feeds.metadata.key,
            content_key=feeds.content.key,
            ceilings=self._ceilings,
        )
        try:
            drive = PublishedDrive(feeds.metadata, feeds.content, feeds.content.key)
            calls = 0
            for seq, block in enumerate(feeds.log.get_many(0, length)):
                entry, changes = replay.add(seq, block)
                feeds.check_contents(seq, changes)
                drive.add(seq, changes, time_of(entry))
                state.flush(seq + 1)
                calls += hasattr(entry, "call")
                listener.replayed(seq + 1)
            listener.comparing()
            drive.finish(length)
            seen_before = self._compare_memory(feeds, expectations)
            return Report(
                log_key=feeds.log.key,
                files_key=feeds.metadata.key,
                head=feeds.log_head,
                entries=length,
                calls=calls,
                gas=replay.summary.gas,
                epochs=tuple(replay.summary.epochs),
                debug=replay.debug,
                files_version=state.version,
                files_root=state.root.hex(),
                publications=drive.checked,
                published_entries=drive.reflects,
                lag=drive.lag,
                seen_before=seen_before,
            )
        finally:
            replay.close()
            state.close()
            contents.close()

    def _compare_memory(self, feeds: CheckedFeeds, expectations: Expectations) -> int:
        if self._memory is None:
            return 0
        log, head = feeds.log, feeds.log_head
        seen = self._memory.recall(log.key)
        if seen is not None:
            check_against_memory(
                seen, head.length, feeds.leaf, allow_older=expectations.allow_older
            )
        self._memory.remember(
            log.key,
            SeenHead(
                length=head.length,
                root_hash=head.root_hash.hex(),
                signature=head.signature.hex(),
                files=feeds.metadata.key.hex(),
                time_ms=time.time_ns() // 1_000_000,
            ),
            feeds.leaf,
        )
        return 0 if seen is None else min(seen.head.length, head.length)
