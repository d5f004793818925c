"""Where the files' bytes are: the drive's content feed, or a temporary file for a replay.

A content is cut into blocks of 65,536 bytes, the last one shorter, and an empty one has none. What
`read` gives is not trusted: `read_content` compares it with the record's SHA-256.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Protocol

from nodevms.archive.cache import Cache
from nodevms.archive.record import BLOCK_BYTES_MAX, Record, block_count
from nodevms.errors import LocalProtocolError, StorageError
from nodevms.feed import BATCH_BLOCKS_MAX, Feed


class ContentStore(Protocol):
    """Stores contents as runs of blocks, numbered from 0 in the order of appending."""

    def append(self, data: bytes) -> int:
        """Store a content and return its first block's index (for an empty one, the next index)."""

    def read(self, block: int, size: int) -> bytes:
        """Return the `size` bytes that start with a block, unchecked."""


class StoredContents:
    """Contents that were committed, for reading: nothing of it pushes out what others work with.

    Args:
        read_block: Gives a committed block by its index.
    """

    def __init__(self, read_block: Callable[[int], bytes]) -> None:
        self._read_block = read_block

    def append(self, data: bytes) -> int:
        """Refuse: what only reads has nothing to store."""
        raise LocalProtocolError("contents for reading take no more")

    def read(self, block: int, size: int) -> bytes:
        """Return the `size` bytes that start with a block, unchecked."""
        return b"".join(map(self._read_block, range(block, block + block_count(size))))


def cut(data: bytes) -> list[bytes]:
    """Return a content's blocks."""
    if len(data) <= BLOCK_BYTES_MAX:
        return [data] if data else []
    return [data[at : at + BLOCK_BYTES_MAX] for at in range(0, len(data), BLOCK_BYTES_MAX)]


def read_content(contents: ContentStore, record: Record) -> bytes:
    """Return a file's bytes, checked against its SHA-256.

    Raises:
        StorageError: Fatal, code `content-damaged`: the store has other bytes.
    """
    data = contents.read(record.block, record.size) if record.size else b""
    if sha256(data).digest() != record.sha256:
        raise StorageError(
            f"the content at block {record.block} is not what was written",
            fatal=True,
            code="content-damaged",
        )
    return data


class FeedContents:
    """Contents in a feed, in batches: staged in memory, then appended together.

    The engine's thread appends and reads while the committer's thread commits the batch before:
    what is staged during a commit belongs to the next one. Reads see everything that was appended,
    staged or not. The caller syncs the feed after `commit`, before the next.

    Args:
        feed: Open for appending, and appended to by nobody else.
        cache_blocks_max: How many blocks of recent contents are kept in memory.
    """

    def __init__(self, feed: Feed, *, cache_blocks_max: int = 256) -> None:
        self._feed = feed
        self._lock = Lock()
        self._staged: list[bytes] = []
        self._committing: list[bytes] = []
        self._first = feed.length
        self._appended_bytes = 0
        self._cache: Cache[int, bytes] = Cache(cache_blocks_max)

    @property
    def length(self) -> int:
        """Number of blocks, staged ones included."""
        with self._lock:
            return self._first + len(self._committing) + len(self._staged)

    @property
    def appended_bytes(self) -> int:
        """Bytes of all contents that were ever appended to this object."""
        return self._appended_bytes

    def append(self, data: bytes) -> int:
        """Stage a content and return the index that its first block will have."""
        blocks = cut(data)
        with self._lock:
            self._appended_bytes += len(data)
            index = self._first + len(self._committing) + len(self._staged)
            self._staged += blocks
        return index

    def read(self, block: int, size: int) -> bytes:
        """Return `size` bytes from a block on, staged or stored.

        Raises:
            StorageError: Fatal, code `content-damaged`, when there are no such blocks; or the
                feed's own.
        """
        count = block_count(size)
        if count == 1:
            return self._block(block)
        return b"".join([self._block(index) for index in range(block, block + count)])

    def stored_block(self, index: int) -> bytes:
        """Return a block that was committed, and keep nothing of it in memory.

        For readers from outside, who must not push out what the script works with.

        Raises:
            StorageError: The feed's own.
        """
        with self._lock:
            cached = self._cache.get(index)
        return self._feed.get(index) if cached is None else cached

    def commit(self) -> int:
        """Append what was staged to the feed as one batch, and return the number of blocks.

        The feed is not synced: the caller does that. (Beyond 65,536 blocks, more than one batch
        is needed, and those before the last are synced here.)

        Raises:
            StorageError: The feed failed; the backend must be opened again.
        """
        with self._lock:
            if self._committing:
                raise LocalProtocolError("a commit of contents failed or has not ended")
            blocks = self._committing = self._staged
            self._staged = []
        for start in range(0, len(blocks), BATCH_BLOCKS_MAX):
            if start:
                self._feed.sync()
            self._feed.append(blocks[start : start + BATCH_BLOCKS_MAX])
        with self._lock:
            for index, data in enumerate(blocks, self._first):
                self._cache.put(index, data)
            self._first += len(blocks)
            self._committing = []
        return len(blocks)

    def discard(self) -> None:
        """Forget what is staged, after a failed write."""
        with self._lock:
            self._staged = []
            self._committing = []
            self._first = self._feed.length

    def _block(self, index: int) -> bytes:
        with self._lock:
            at = index - self._first
            if at >= 0:
                committing = len(self._committing)
                if at < committing:
                    return self._committing[at]
                if at - committing < len(self._staged):
                    return self._staged[at - committing]
                raise StorageError(
                    f"there is no content block {index}", fatal=True, code="content-damaged"
                )
            cached = self._cache.get(index)
        if cached is not None:
            return cached
        data = self._feed.get(index)
        with self._lock:
            self._cache.put(index, data)
        return data
