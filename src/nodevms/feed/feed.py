"""A feed on disk: an append-only list of blocks whose every batch the owner's key signs.

The files are those of hypercore 6, byte for byte. One thread appends, syncs and closes. Any other
thread may at the same time call :meth:`Feed.get`, :meth:`Feed.get_many`, :meth:`Feed.proof`,
:meth:`Feed.node`, :meth:`Feed.head_at` and read the properties: they see the feed as it was after
some append, because a batch becomes visible only when all its bytes are written, and stored bytes
below a visible length never change. Whether a block may *leave the process* is another question:
only below :attr:`Feed.synced_length`.

Spec: DEP-0002 (hypercore); recovery as in :mod:`nodevms.feed.recovery`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodevms.errors import LocalProtocolError, StorageError
from nodevms.feed import recovery
from nodevms.feed.files import OSFiles
from nodevms.feed.heads import EMPTY_HEAD, Head
from nodevms.feed.keys import KeyPair
from nodevms.feed.merkle import MerkleBuilder
from nodevms.feed.opening import create_files, open_files
from nodevms.feed.reader import FeedReader

if TYPE_CHECKING:
    from nodevms.feed.files import FileSystem
    from nodevms.feed.sleep import FeedFiles

BLOCK_BYTES_MAX = 8 * 1024 * 1024 - 16 * 1024
"""The longest block that still fits, with its proof, into one message of the Dat protocol."""
BATCH_BLOCKS_MAX = recovery.CUT_BLOCKS_MAX
BATCH_BYTES_MAX = 1 << 30


class Feed(FeedReader):
    """One feed, opened for reading or for appending. See the module for threads.

    Made by :meth:`create` and :meth:`open`; a context manager that closes it.
    """

    def __init__(self, files: FeedFiles, key: bytes, key_pair: KeyPair | None, head: Head) -> None:
        """Use :meth:`create` or :meth:`open` instead."""
        super().__init__(files, key, head)
        self._key_pair = key_pair
        self._builder = MerkleBuilder(head.length, head.roots)
        self._poisoned = False
        self._on_sync: tuple[Callable[[], None], ...] = ()

    @classmethod
    def create(
        cls,
        directory: Path,
        prefix: str,
        key_pair: KeyPair,
        *,
        store_secret: bool = True,
        files: FileSystem | None = None,
    ) -> Feed:
        """Make an empty feed on disk, synced, and open it for appending.

        The directory is made private to the user if it is not there; ``secret_key`` gets mode
        0600. The ``key`` file is written last: a feed with a key file is whole.

        Args:
            directory: Where the files go.
            prefix: What their names begin with, for example ``call-log.``, or an empty string.
            key_pair: The key that will sign.
            store_secret: False when the secret key is derived from another feed's, as that of a
                drive's contents: then there is no ``secret_key`` file.
            files: The file system; that of the operating system by default.

        Raises:
            StorageError: A feed is there already (code ``feed-exists``), or the disk failed.
        """
        secret = key_pair.secret if store_secret else None
        opened = create_files(files or OSFiles(), directory, prefix, key_pair.public, secret)
        return cls(opened, key_pair.public, key_pair, EMPTY_HEAD)

    @classmethod
    def open(
        cls,
        directory: Path,
        prefix: str,
        *,
        writable: bool,
        key_pair: KeyPair | None = None,
        files: FileSystem | None = None,
    ) -> Feed:
        """Open a feed.

        A writer keeps the longest validly signed prefix: it cuts a torn last batch, writes the
        last kept batch again and syncs before it returns. A reader changes nothing, and sees the
        longest signed prefix that is whole at this moment, for as long as it stays open.

        Args:
            directory: Where the files are.
            prefix: What their names begin with.
            writable: Open for appending; needs the secret key. The caller holds a lock.
            key_pair: For a writer, the pair to use instead of the ``secret_key`` file.
            files: The file system; that of the operating system by default.

        Raises:
            StorageError: Files are missing (no key: code ``feed-missing``) or cannot be read;
                with code ``feed-damaged`` and ``fatal`` when no crash explains what is wrong.
        """
        opened, key, key_pair = open_files(
            files or OSFiles(), directory, prefix, writable=writable, key_pair=key_pair
        )
        try:
            if writable:
                head = recovery.repair(opened, recovery.longest_prefix(opened, key))
            else:
                head = recovery.readable_prefix(opened, key)
        except BaseException:
            opened.close()
            raise
        return cls(opened, key, key_pair, head)

    @classmethod
    def open_prefix(
        cls, directory: Path, prefix: str, length: int, *, files: FileSystem | None = None
    ) -> Feed:
        """Open the beginning of a feed for reading, whatever stands behind it.

        Args:
            directory: Where the files are.
            prefix: What their names begin with.
            length: How many blocks to see; the caller has checked them.
            files: The file system; that of the operating system by default.

        Raises:
            StorageError: Files are missing or cannot be read, or lack the nodes of this length.
        """
        opened, key, _ = open_files(files or OSFiles(), directory, prefix, writable=False)
        feed = cls(opened, key, None, EMPTY_HEAD)
        try:
            feed._head = Head(length, 0, (), b"")
            feed._head = feed._synced_head = feed.head_at(length)
        except BaseException:
            opened.close()
            raise
        return feed

    @property
    def writable(self) -> bool:
        """Whether the feed was opened for appending."""
        return self._key_pair is not None

    def append(self, blocks: Sequence[bytes]) -> int:
        """Append a batch under one signature; written, not synced.

        Args:
            blocks: At most BATCH_BLOCKS_MAX blocks of at most BLOCK_BYTES_MAX bytes, together at
                most BATCH_BYTES_MAX. With none of them nothing happens.

        Returns:
            The index of the first of them.

        Raises:
            LocalProtocolError: The feed is read-only, the batch before is not synced yet, or the
                batch is too large. Nothing was written.
            StorageError: Writing failed. The feed refuses every further append until it is opened
                again; whether the batch is in it is known only then.
        """
        if self._key_pair is None:
            raise LocalProtocolError("The feed is open for reading only.", code="feed-read-only")
        self._refuse_when_poisoned()
        head = self._head
        if head is not self._synced_head:
            raise LocalProtocolError("The batch before is not synced yet.", code="feed-unsynced")
        if len(blocks) > BATCH_BLOCKS_MAX:
            raise LocalProtocolError(
                f"A batch of {len(blocks)} blocks is more than {BATCH_BLOCKS_MAX}.",
                code="feed-too-large",
            )
        if not blocks:
            return head.length
        sizes = list(map(len, blocks))
        if max(sizes) > BLOCK_BYTES_MAX or sum(sizes) > BATCH_BYTES_MAX:
            raise LocalProtocolError(
                f"A block is longer than {BLOCK_BYTES_MAX} bytes, or a batch than "
                f"{BATCH_BYTES_MAX}.",
                code="feed-too-large",
            )
        try:
            builder = self._builder
            growth = builder.append(blocks)
            roots = builder.roots()
            new = Head(builder.length, builder.byte_length, roots, b"")
            signature = self._key_pair.sign(new.root_hash)
            self._files.write_batch(head.byte_length, blocks, growth, signature)
        except BaseException:
            self._poisoned = True
            raise
        self._head = Head(new.length, new.byte_length, roots, signature)
        return head.length

    def sync(self) -> None:
        """Put everything appended on the disk; afterwards ``synced_length`` is ``length``.

        Raises:
            StorageError: Syncing failed. As for :meth:`append`, the feed must be opened again.
        """
        self._refuse_when_poisoned()
        head = self._head
        if head is self._synced_head:
            return
        try:
            self._files.sync()
        except BaseException:
            self._poisoned = True
            raise
        self._synced_head = head
        for callback in self._on_sync:
            callback()

    def on_sync(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have the callback called after each sync of something new, on the syncing thread.

        Args:
            callback: Returns soon and raises nothing: the sync's caller waits for it.

        Returns:
            What ends that. Both may be called from any thread.
        """
        self._on_sync = (*self._on_sync, callback)

        def forget() -> None:
            self._on_sync = tuple(one for one in self._on_sync if one is not callback)

        return forget

    def close(self) -> None:
        """Close the files. An unsynced batch is left to the operating system."""
        self._poisoned = True
        self._files.close()

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _refuse_when_poisoned(self) -> None:
        if self._poisoned:
            raise StorageError(
                "The feed is closed, or a write to it failed: open it again.", code="feed-closed"
            )
