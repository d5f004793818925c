"""The verifier: one directory with a log and files, and the question whether they are true.

In this order: every hash and signature of the three feeds; the keys that the reader expects; the
replay of each entry, with each file's content and each publication compared on the way; and
last, whether this is the continuation of what the reader saw before.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from nodevms.archive import State, TemporaryContents
from nodevms.audit.answer_check import SavedAnswer, check_heads
from nodevms.audit.checked_feeds import CheckedFeeds, Expectations
from nodevms.audit.deadline import SECONDS_MAX, Deadline
from nodevms.audit.published import PublishedDrive
from nodevms.audit.replay import Epoch, Replay
from nodevms.audit.seen import Memory, SeenHead, behind, check_against_memory
from nodevms.audit.trust import Trusted
from nodevms.errors import CouldNotCheckError
from nodevms.feed import Head
from nodevms.sandbox import Engine
from nodevms.vm.directory import Layout
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.entries import time_of
from nodevms.vm.limits import CEILINGS, Limits

REPLAY_DISK_BYTES_MAX: Final = 8 * 1024**3


class Listener(Protocol):
    """Hears how a verification goes on."""

    def checked(self, name: str, done: int, total: int) -> None:
        """Of a feed's ``total`` bytes, hashes and signatures of ``done`` were checked."""

    def replaying(self, entries: int) -> None:
        """The log's hashes and signatures are right; it will be replayed."""

    def replayed(self, entries: int) -> None:
        """So many entries were replayed and agree."""

    def comparing(self) -> None:
        """The replay is over; what is left is compared."""


class _Silence:
    def checked(self, name: str, done: int, total: int) -> None:
        pass

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
        trusted: What was taken on trust: the answers of oracles.
        epochs: The starts, in order.
        debug: Whether callers could name themselves.
        files_version: The version of the files after the last entry.
        files_root: The state root after the last entry, in hex.
        heap_hash: The hash of the script's memory after the last entry, in hex: equal for
            everybody who replays these entries. The log does not have it.
        publications: How many publications of the drive were compared.
        published_entries: The log length that the newest publication reflects.
        lag: Whether files changed since then.
        seen_before: How many entries this user had seen before.
        answers: The saved answers that were computed again and agree.
    """

    log_key: bytes
    files_key: bytes
    head: Head
    entries: int
    calls: int
    gas: int
    trusted: Trusted
    epochs: tuple[Epoch, ...]
    debug: bool
    files_version: int
    files_root: str
    heap_hash: str
    publications: int
    published_entries: int
    lag: bool
    seen_before: int
    answers: tuple[SavedAnswer, ...] = ()


class Verifier:
    """Verifies a backend from its directory, or from a copy that was fetched.

    Args:
        engine: The engine that this release ships; by default it is loaded.
        memory: What this user saw of logs before; None to neither ask nor remember.
        ceilings: The highest limits that are replayed.
        disk_bytes_max: How much a replay may write to temporary files.
        deadline: When to give up, looked at between two entries (one call takes at most as long
            as the ceiling of gas allows) and between two files of one; by default a day after
            each beginning.
    """

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        memory: Memory | None = None,
        ceilings: Limits = CEILINGS,
        disk_bytes_max: int = REPLAY_DISK_BYTES_MAX,
        deadline: Deadline | None = None,
    ) -> None:
        self._engine = engine or Engine()
        self._memory = memory
        self._ceilings = ceilings
        self._disk_bytes_max = disk_bytes_max
        self._deadline = deadline

    def verify(
        self,
        directory: Path | str,
        expectations: Expectations = Expectations(),  # noqa: B008 - frozen
        listener: Listener | None = None,
        answers: Sequence[SavedAnswer] = (),
    ) -> Report:
        """Check everything in a directory.

        Args:
            directory: A backend's directory, or a fetched copy.
            expectations: What the reader knows.
            listener: Hears of the progress.
            answers: Saved answers of read-only calls, to be computed again.

        Raises:
            ProvedFalseError: Something is false; the message names the entry.
            CouldNotCheckError: Something is missing, or beyond what this program replays.
        """
        listener = listener or _Silence()
        deadline = self._deadline or Deadline(SECONDS_MAX, time.monotonic)
        check_heads(answers)

        def seen(name: str, done: int, total: int) -> None:
            deadline.check(f"checking the {name}")
            listener.checked(name, done, total)

        feeds = CheckedFeeds(Layout(Path(directory)), expectations, seen)
        try:
            for saved in answers:
                saved.check_log(feeds)
            report = on_engine_thread(lambda: self._replay(feeds, listener, deadline, answers))
            return replace(report, seen_before=self._compare_memory(feeds, expectations, report))
        except CouldNotCheckError:
            # Whatever cannot be replayed may still be another history than the one seen before.
            if feeds.log_head.length:
                self._recall(feeds, expectations)
            raise
        finally:
            feeds.close()

    def _replay(
        self,
        feeds: CheckedFeeds,
        listener: Listener,
        deadline: Deadline,
        answers: Sequence[SavedAnswer],
    ) -> Report:
        length = feeds.covered_length()
        if length == 0:
            raise CouldNotCheckError(
                "no entry of this copy is here with its contents", code="feed-incomplete"
            )
        for saved in answers:
            if saved.answer.length > length:
                raise behind(length, saved.answer.length)
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
                deadline.check(f"replaying entry {seq} of {length}")
                entry, changes = replay.add(seq, block)
                feeds.check_contents(seq, changes, deadline.check)
                drive.add(seq, changes, time_of(entry))
                state.flush(seq + 1)
                _check_answers(answers, replay, deadline)
                calls += hasattr(entry, "call")
                listener.replayed(seq + 1)
            listener.comparing()
            if not feeds.allow_part:  # a part may have been published further than it goes
                drive.finish(length, from_others=feeds.from_others)
            return Report(
                log_key=feeds.log.key,
                files_key=feeds.metadata.key,
                head=feeds.log_head,
                entries=length,
                calls=calls,
                gas=replay.summary.gas,
                trusted=replay.summary.trusted,
                epochs=tuple(replay.summary.epochs),
                debug=replay.debug,
                files_version=state.version,
                files_root=state.root.hex(),
                heap_hash=replay.heap_hash(),
                publications=drive.checked,
                published_entries=drive.reflects,
                lag=drive.lag,
                seen_before=0,
                answers=tuple(answers),
            )
        finally:
            replay.close()
            state.close()
            contents.close()

    def _recall(self, feeds: CheckedFeeds, expectations: Expectations) -> int:
        """Compare the log with what was seen of it, and return how many entries were."""
        seen = None if self._memory is None else self._memory.recall(feeds.log.key)
        if seen is None:
            return 0
        length = feeds.log_head.length
        check_against_memory(
            seen,
            length,
            feeds.leaf,
            allow_older=expectations.allow_older,
            from_others=expectations.from_others,
        )
        return min(seen.head.length, length)

    def _compare_memory(
        self, feeds: CheckedFeeds, expectations: Expectations, report: Report
    ) -> int:
        if self._memory is None:
            return 0
        seen_before = self._recall(feeds, expectations)
        if report.entries < feeds.log_head.length:
            return seen_before  # what was not replayed is not remembered
        feeds.sync()
        head = feeds.log_head
        self._memory.remember(
            feeds.log.key,
            SeenHead(
                length=head.length,
                root_hash=head.root_hash.hex(),
                signature=head.signature.hex(),
                files=feeds.metadata.key.hex(),
                time_ms=time.time_ns() // 1_000_000,
            ),
            feeds.leaf,
        )
        return seen_before


def _check_answers(answers: Sequence[SavedAnswer], replay: Replay, deadline: Deadline) -> None:
    """Compute the answers again that rest on the entries which were replayed so far."""
    for saved in answers:
        if saved.answer.length == replay.summary.entries:
            deadline.check(f"computing the answer in {saved.name}")
            saved.check_at(replay.standing())
