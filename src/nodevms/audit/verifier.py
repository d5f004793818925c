"""The verifier: one directory with a log and files, and the question whether they are true.

In this order: every hash and signature of the three feeds; the keys that the reader expects; the
replay of each entry, with each file's content and each publication compared on the way; and
last, whether this is the continuation of what the reader saw before.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from nodevms.archive import Change, State, TemporaryContents
from nodevms.archive.record import block_count
from nodevms.audit.divergence import diverged
from nodevms.audit.published import PublishedDrive
from nodevms.audit.replay import Epoch, Replay
from nodevms.audit.seen import Memory, SeenHead, check_against_memory
from nodevms.errors import CouldNotCheckError, NodeVMSError, ProvedFalseError, StorageError
from nodevms.feed import Feed, Head, audit_feed, dat_url
from nodevms.sandbox import Engine
from nodevms.vm.directory import LOG_PREFIX, Layout, is_locked
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
class Expectations:
    """What the reader knows and wants to be true.

    Attributes:
        log_key: The call log's public key, if the reader knows it.
        files_key: The drive's public key, if the reader knows it.
        allow_older: Accept a log that is shorter than one seen before.
    """

    log_key: bytes | None = None
    files_key: bytes | None = None
    allow_older: bool = False


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
        engine: The engine that this release ships.
        memory: What this user saw of logs before; None to neither ask nor remember.
        ceilings: The highest limits that are replayed.
        disk_bytes_max: How much a replay may write to temporary files.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        memory: Memory | None = None,
        ceilings: Limits = CEILINGS,
        disk_bytes_max: int = REPLAY_DISK_BYTES_MAX,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._ceilings = ceilings
        self._disk_bytes_max = disk_bytes_max

    def verify(
        self,
        directory: Path,
        expectations: Expectations = Expectations(),
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
        feeds = _CheckedFeeds(Layout(directory), expectations)
        try:
            return on_engine_thread(
                lambda: self._replay(feeds, expectations, listener or _Silence())
            )
        finally:
            feeds.close()

    def _replay(
        self, feeds: _CheckedFeeds, expectations: Expectations, listener: Listener
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

    def _compare_memory(self, feeds: _CheckedFeeds, expectations: Expectations) -> int:
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


class _CheckedFeeds:
    """The three feeds of a backend, with every hash and signature checked."""

    def __init__(self, layout: Layout, expectations: Expectations) -> None:
        in_use = is_locked(layout)
        # In this order the log covers what was published, and the contents what the log says.
        self.metadata, _ = _open(layout.metadata, "", "files archive", in_use=in_use)
        self.log, self.log_head = _open(layout.root, LOG_PREFIX, "call log", in_use=in_use)
        self.content, self.content_head = _open(
            layout.content, "", "files' contents", in_use=in_use
        )
        _expect("call log", expectations.log_key, self.log.key)
        _expect("files archive", expectations.files_key, self.metadata.key)
        if self.log_head.length == 0:
            raise CouldNotCheckError("the call log is empty", code="log-empty")

    def leaf(self, seq: int) -> bytes:
        return self.log.node(2 * seq).hash

    def check_contents(self, seq: int, changes: tuple[Change, ...]) -> None:
        for change in changes:
            if change.kind != "file":
                continue
            end = change.block + block_count(change.size)
            found = "blocks that are not there"
            if 0 <= change.block <= end <= self.content_head.length:
                digest = hashlib.sha256()
                size = 0
                for block in self.content.get_many(change.block, end):
                    digest.update(block)
                    size += len(block)
                if size == change.size and digest.digest() == change.sha256:
                    continue
                found = f"{size} bytes with SHA-256 {digest.hexdigest()}"
            raise diverged(
                seq,
                f"content of {change.path} at block {change.block}",
                "content",
                f"{change.size} bytes with SHA-256 {change.sha256.hex()}",
                found,
            )

    def close(self) -> None:
        for feed in (self.metadata, self.log, self.content):
            feed.close()


def _open(directory: Path, prefix: str, name: str, *, in_use: bool) -> tuple[Feed, Head]:
    """Check all of a feed and open it for reading.

    Of a feed that is being written, everything below the head at this moment is checked. Any
    other must end with its last signature.
    """
    try:
        if in_use:
            feed = Feed.open(directory, prefix, writable=False)
            head = audit_feed(directory, prefix, feed.key, length=feed.length, exact=False)
            return feed, head
        key = (directory / f"{prefix}key").read_bytes()
        head = audit_feed(directory, prefix, key)
        return Feed.open(directory, prefix, writable=False), head
    except OSError as error:
        raise CouldNotCheckError(f"the {name} cannot be read: {error}") from error
    except StorageError as error:
        raise CouldNotCheckError(f"the {name} cannot be read: {error}") from error
    except ProvedFalseError as error:
        if error.code == "feed-unsigned":
            raise CouldNotCheckError(
                f"the {name}: {error}",
                code="feed-torn",
                hint="After a crash, start the backend once: it cuts what was not signed.",
            ) from error
        raise _about(name, error) from error
    except CouldNotCheckError as error:
        raise _about(name, error) from error


def _about(name: str, error: NodeVMSError) -> NodeVMSError:
    kind = ProvedFalseError if isinstance(error, ProvedFalseError) else CouldNotCheckError
    block = getattr(error, "block", None)
    place = f"the {name}" if block is None else f"the {name}, {_unit(name)} {block}"
    return kind(f"{place}: {error}", code=error.code, hint=error.hint)


def _unit(name: str) -> str:
    return "entry" if name == "call log" else "block"


def _expect(name: str, expected: bytes | None, found: bytes) -> None:
    if expected is not None and expected != found:
        raise ProvedFalseError(
            f"the {name} is {dat_url(found)}, not {dat_url(expected)}", code="other-key"
        )
