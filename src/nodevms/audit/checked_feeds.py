"""The three feeds of a backend, with every hash and signature checked before a replay."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from nodevms.archive import Change
from nodevms.archive.cache import Cache
from nodevms.archive.record import block_count
from nodevms.audit.divergence import EntryFalseError, EntryUncheckedError, diverged, shorten
from nodevms.audit.opening import ARCHIVE, CALL_LOG, CONTENTS, BytesSeen, Place, open_checked
from nodevms.audit.published import BEHIND_HINT
from nodevms.errors import CouldNotCheckError, ProvedFalseError, StorageError
from nodevms.feed import Feed, Head, dat_url, known_fork, open_plain
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.entries import decode
from nodevms.vm.entry_changes import changes_of

KNOWN_CONTENTS_MAX: Final = 50_000
"""Contents that are not hashed again. One call can make ten thousand copies of a large file."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """What the reader knows and wants to be true.

    Attributes:
        log_key: The call log's public key, if the reader knows it.
        files_key: The drive's public key, if the reader knows it.
        allow_older: Accept a log that is shorter than one seen before, and of a copy that is not
            complete the entries that are.
        from_others: What is verified comes from a copy or from the network and not from the
            backend itself, so a shorter log is not false: its holder may be behind.
    """

    log_key: bytes | None = None
    files_key: bytes | None = None
    allow_older: bool = False
    from_others: bool = False


class CheckedFeeds:
    """The three feeds of a backend, with every hash and signature checked.

    Args:
        layout: The directory.
        expectations: The keys that the reader expects.
        seen: Hears how far the check is: feed, bytes checked, bytes in all.
    """

    def __init__(self, layout: Layout, expectations: Expectations, seen: BytesSeen) -> None:
        self._layout = layout
        self.from_others = expectations.from_others
        self.allow_older = expectations.allow_older
        self.allow_part = expectations.from_others and expectations.allow_older
        self._open: list[Feed] = []
        self._known: Cache[tuple[int, int, bytes], bool] = Cache(KNOWN_CONTENTS_MAX)
        try:
            # In this order the log covers what was published, and the contents what the log says.
            self.metadata, _ = self._opened(ARCHIVE, expectations.files_key, seen)
            self.log, self.log_head = self._opened(CALL_LOG, expectations.log_key, seen)
            if self.log_head.length == 0:
                raise CouldNotCheckError("the call log is empty", code="log-empty")
            try:
                self.content, self.content_head = self._opened(CONTENTS, None, seen)
            except EntryFalseError as error:
                raise self._with_entry(error) from error
        except BaseException:
            self.close()
            raise

    def _opened(self, name: str, key: bytes | None, seen: BytesSeen) -> tuple[Feed, Head]:
        place = Place(name, self._layout)
        feed, head = open_checked(place, seen, allow_part=self.allow_part)
        self._open.append(feed)
        if key is not None and key != feed.key:
            raise ProvedFalseError(
                f"the {name} is {dat_url(feed.key)}, not {dat_url(key)}", code="other-key"
            )
        fork = known_fork(self._layout.evidence, feed.key)
        if fork is not None:
            raise fork
        return feed, head

    def _with_entry(self, error: EntryFalseError) -> EntryFalseError:
        """Name the entry that wrote a block of the contents which is not what was signed."""
        if error.block is None:
            return error
        for seq, block in enumerate(self.log.get_many(0, self.log_head.length)):
            with suppress(ProvedFalseError, CouldNotCheckError, StorageError, ValueError):
                for change in changes_of(decode(block)):
                    end = change.block + block_count(change.size)
                    if change.kind == "file" and change.block <= error.block < end:
                        named = EntryFalseError(
                            f"entry {seq}, content of {shorten(change.path)}: {error}",
                            entry=seq,
                            code=error.code,
                            hint=error.hint,
                        )
                        named.block = error.block
                        return named
        return error

    def leaf(self, seq: int) -> bytes:
        """Return the leaf hash of an entry."""
        return self.log.node(2 * seq).hash

    def covered_length(self) -> int:
        """Return how many entries are here with all their contents.

        Only a part of a copy may lack some: elsewhere that is for :meth:`check_contents` to say.
        """
        length = self.log_head.length
        if not self.allow_part:
            return length
        for seq, block in enumerate(self.log.get_many(0, length)):
            with suppress(ProvedFalseError, CouldNotCheckError, ValueError):
                for change in changes_of(decode(block)):
                    needed = change.block + block_count(change.size)
                    if change.kind == "file" and needed > self.content_head.length:
                        return seq
        return length

    def check_contents(
        self, seq: int, changes: tuple[Change, ...], check_time: Callable[[str], None]
    ) -> None:
        """Check that the content feed has what an entry's changes say, where they say it.

        Args:
            seq: The entry.
            changes: Its changes.
            check_time: Raises when the audit takes too long, told what is being done.

        Raises:
            DivergenceError: It has not.
            CouldNotCheckError: It ends before them, and somebody else may have more of it.
        """
        for change in changes:
            place = (change.block, change.size, change.sha256)
            if change.kind != "file" or self._known.get(place):
                continue
            check_time(f"checking the contents of entry {seq}")
            end = change.block + block_count(change.size)
            found = "blocks that are not there"
            if self.from_others and change.block >= 0 and self.content_head.length < end:
                raise EntryUncheckedError(
                    f"entry {seq}: the copy has {self.content_head.length} blocks of the files' "
                    f"contents; {shorten(change.path)} needs {end}",
                    entry=seq,
                    code="behind",
                    hint=BEHIND_HINT,
                )
            if 0 <= change.block <= end <= self.content_head.length:
                digest = hashlib.sha256()
                size = 0
                for block in self.content.get_many(change.block, end):
                    digest.update(block)
                    size += len(block)
                if size == change.size and digest.digest() == change.sha256:
                    self._known.put(place, value=True)
                    continue
                found = f"{size} bytes with SHA-256 {digest.hexdigest()}"
            raise diverged(
                seq,
                f"content of {change.path} at block {change.block}",
                "content",
                f"{change.size} bytes with SHA-256 {change.sha256.hex()}",
                found,
            )

    def sync(self) -> None:
        """Make the log that was read last, so that no power cut shortens what will be remembered.

        Where this reader may not, it is left to the writer.
        """
        for part in ("data", "tree", "signatures"):
            with suppress(OSError):
                fd = open_plain(self._layout.root / f"{LOG_PREFIX}{part}", os.O_RDONLY)
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)

    def close(self) -> None:
        """Close the feeds."""
        for feed in self._open:
            feed.close()
