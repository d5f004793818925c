"""The three feeds of a backend, with every hash and signature checked before a replay."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nodevms.archive import Change
from nodevms.archive.record import block_count
from nodevms.audit.divergence import diverged
from nodevms.errors import CouldNotCheckError, NodeVMSError, ProvedFalseError, StorageError
from nodevms.feed import Feed, Head, audit_feed, dat_url, holds_records
from nodevms.vm.directory import LOG_PREFIX, Layout, is_locked


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


class CheckedFeeds:
    """The three feeds of a backend, with every hash and signature checked."""

    def __init__(self, layout: Layout, expectations: Expectations) -> None:
        in_use = is_locked(layout)
        try:
            self._open_all(layout, in_use=in_use)
        except ProvedFalseError as error:
            if in_use or not holds_records(layout.journal):
                raise
            raise CouldNotCheckError(
                f"{error} (the backend did not end in order)",
                code="feed-torn",
                hint="After a crash, start the backend once: it writes again what its journal has.",
            ) from error
        _expect("call log", expectations.log_key, self.log.key)
        _expect("files archive", expectations.files_key, self.metadata.key)
        if self.log_head.length == 0:
            raise CouldNotCheckError("the call log is empty", code="log-empty")

    def _open_all(self, layout: Layout, *, in_use: bool) -> None:
        # In this order the log covers what was published, and the contents what the log says.
        self.metadata, _ = _open(layout.metadata, "", "files archive", in_use=in_use)
        self.log, self.log_head = _open(layout.root, LOG_PREFIX, "call log", in_use=in_use)
        self.content, self.content_head = _open(
            layout.content, "", "files' contents", in_use=in_use
        )

    def leaf(self, seq: int) -> bytes:
        """Return the leaf hash of an entry."""
        return self.log.node(2 * seq).hash

    def check_contents(self, seq: int, changes: tuple[Change, ...]) -> None:
        """Check that the content feed has what an entry's changes say, where they say it.

        Raises:
            DivergenceError: It has not.
        """
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
        """Close the feeds."""
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
