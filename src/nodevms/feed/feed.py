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

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodevms.errors import LocalProtocolError, StorageError
from nodevms.feed import keys, recovery
from nodevms.feed.errors import FeedDamagedError
from nodevms.feed.files import OSFiles
from nodevms.feed.flat_tree import full_roots
from nodevms.feed.heads import EMPTY_HEAD, Head
from nodevms.feed.keys import KeyPair
from nodevms.feed.merkle import MerkleBuilder, Node, leaf_hash
from nodevms.feed.proofs import Proof, make_proof
from nodevms.feed.sleep import HEADERS, FeedFiles, SleepFile, feed_path, storage_errors

if TYPE_CHECKING:
    from types import TracebackType

    from nodevms.feed.files import FileSystem

BLOCK_BYTES_MAX = 8 * 1024 * 1024 - 16 * 1024
"""The longest block that still fits, with its proof, into one message of the Dat protocol."""
BATCH_BLOCKS_MAX = recovery.CUT_BLOCKS_MAX
_MANY_BYTES = 1 << 20


class Feed:
    """One feed, opened for reading or for appending. See the module for threads.

    Made by :meth:`create` and :meth:`open`; a context manager that closes it.
    """

    def __init__(self, files: FeedFiles, key: bytes, key_pair: KeyPair | None, head: Head) -> None:
        """Use :meth:`create` or :meth:`open` instead."""
        self._files = files
        self._key = key
        self._key_pair = key_pair
        self._builder = MerkleBuilder(head.length, head.roots)
        self._head = head
        self._synced_head = head
        self._poisoned = False

    @classmethod
    def create(
        cls,
        directory: Path,
        prefix: str,
        key_pair: KeyPair,
        *,
        files: FileSystem | None = None,
    ) -> Feed:
        """Make an empty feed on disk, synced, and open it for appending.

        The directory is made private to the user if it is not there; ``secret_key`` gets mode
        0600. The ``key`` file is written last: a feed with a key file is whole.

        Args:
            directory: Where the files go.
            prefix: What their names begin with, for example ``call-log.``, or an empty string.
            key_pair: The key that will sign.
            files: The file system; that of the operating system by default.

        Raises:
            StorageError: A feed is there already (code ``feed-exists``), or the disk failed.
        """
        files = files if files is not None else OSFiles()
        key_path = feed_path(directory, prefix, "key")
        with storage_errors(directory, "make"):
            files.make_directory(directory)
        opened = FeedFiles(files, directory, prefix, writable=True, create=True)
        try:
            if opened.data.size() or opened.tree.size() > 32 or opened.signatures.size() > 32:
                raise StorageError(f"There is a feed at {key_path} already.", code="feed-exists")
            key_file = SleepFile(files, key_path, writable=True, create=True)
            if key_file.size():
                key_file.close()
                raise StorageError(f"There is a feed at {key_path} already.", code="feed-exists")
            for file in (opened.tree, opened.signatures, opened.bitfield):
                if file is not None:
                    file.write(0, HEADERS[file.path.name[len(prefix) :]])
            opened.sync()
            secret_path = feed_path(directory, prefix, "secret_key")
            secret_file = SleepFile(files, secret_path, writable=True, create=True)
            for key_like, value in ((secret_file, key_pair.secret), (key_file, key_pair.public)):
                key_like.write(0, value)
                key_like.sync()
                key_like.close()
            with storage_errors(directory, "sync"):
                files.sync_directory(directory)
        except BaseException:
            opened.close()
            raise
        return cls(opened, key_pair.public, key_pair, EMPTY_HEAD)

    @classmethod
    def open(
        cls, directory: Path, prefix: str, *, writable: bool, files: FileSystem | None = None
    ) -> Feed:
        """Open a feed.

        A writer keeps the longest validly signed prefix: it cuts a torn last batch, writes the
        last kept batch again and syncs before it returns. A reader changes nothing, and sees the
        longest signed prefix that is whole at this moment, for as long as it stays open.

        Args:
            directory: Where the files are.
            prefix: What their names begin with.
            writable: Open for appending; needs the secret key. The caller holds a lock.
            files: The file system; that of the operating system by default.

        Raises:
            StorageError: Files are missing or cannot be read; with code ``feed-damaged`` and
                ``fatal`` when something is wrong that no crash explains.
        """
        files = files if files is not None else OSFiles()
        key = _read_key(files, feed_path(directory, prefix, "key"), keys.PUBLIC_KEY_BYTES)
        key_pair = None
        if writable:
            secret_path = feed_path(directory, prefix, "secret_key")
            secret = _read_key(files, secret_path, keys.SECRET_KEY_BYTES)
            key_pair = KeyPair.from_secret(secret, key)
        opened = FeedFiles(files, directory, prefix, writable=writable)
        try:
            for file in (opened.tree, opened.signatures):
                if file.read(0, 32) != HEADERS[file.path.name[len(prefix) :]]:
                    raise FeedDamagedError(f"{file.path} does not begin as a feed's file does.")
            if writable:
                head = recovery.repair(opened, recovery.longest_prefix(opened, key))
            else:
                head = recovery.readable_prefix(opened, key)
        except BaseException:
            opened.close()
            raise
        return cls(opened, key, key_pair, head)

    @property
    def key(self) -> bytes:
        """The 32-byte public key."""
        return self._key

    @property
    def discovery_key(self) -> bytes:
        """The 32 bytes that name the feed without giving its key away."""
        return keys.discovery_key(self._key)

    @property
    def writable(self) -> bool:
        """Whether the feed was opened for appending."""
        return self._key_pair is not None

    @property
    def length(self) -> int:
        """Number of blocks, those of an unsynced batch included."""
        return self._head.length

    @property
    def byte_length(self) -> int:
        """Bytes of all blocks, those of an unsynced batch included."""
        return self._head.byte_length

    @property
    def synced_length(self) -> int:
        """Number of blocks that a power cut cannot take away."""
        return self._synced_head.length

    def head(self) -> Head:
        """Return the signed head of the last append, synced or not."""
        return self._head

    def synced_head(self) -> Head:
        """Return the signed head of the last sync: one that may leave the process."""
        return self._synced_head

    def append(self, blocks: Sequence[bytes]) -> int:
        """Append a batch under one signature; written, not synced.

        Args:
            blocks: At most 65,536 blocks of at most BLOCK_BYTES_MAX bytes. None: nothing happens.

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
            raise LocalProtocolError(f"A batch of {len(blocks)} blocks is too large.")
        if not blocks:
            return head.length
        if max(map(len, blocks)) > BLOCK_BYTES_MAX:
            raise LocalProtocolError(
                f"A block is longer than {BLOCK_BYTES_MAX} bytes.", code="feed-block-too-large"
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

    def get(self, index: int) -> bytes:
        """Return block ``index``, checked against its stored leaf.

        Raises:
            LocalProtocolError: There is no such block.
            StorageError: It cannot be read, or is not what was written (``feed-damaged``).
        """
        self._check_range(index, index + 1)
        return self._read_block(index, self._byte_offset(index))

    def get_many(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the blocks from ``start`` to before ``end``, in memory one at a time.

        Raises:
            LocalProtocolError: Some of them do not exist.
            StorageError: As for :meth:`get`.
        """
        self._check_range(start, end)
        offset = self._byte_offset(start)
        for index in range(start, end):
            block = self._read_block(index, offset)
            offset += len(block)
            yield block

    def byte_offset(self, index: int) -> int:
        """Return where block ``index`` (or, for ``length``, the end) stands in the data file."""
        self._check_range(index, index)
        return self._byte_offset(index)

    def node(self, index: int) -> Node:
        """Return a stored node of the tree.

        Raises:
            StorageError: The file does not have it (``feed-damaged``).
        """
        node = self._files.node(index)
        if node is None:
            raise FeedDamagedError(f"{self._files.tree.path} lacks node {index}.")
        return node

    def head_at(self, length: int) -> Head:
        """Return the head at an earlier length, computed from the stored nodes.

        Its signature is empty where no batch ended. A caller that remembers a head compares root
        hashes; one that does not trust the stored nodes uses ``check_extends``.

        Raises:
            LocalProtocolError: The feed has fewer blocks.
            StorageError: A node is missing (``feed-damaged``).
        """
        self._check_range(length, length)
        roots = tuple(self.node(index) for index in full_roots(length))
        signature = self._files.signature(length - 1) if length else b""
        return Head(length, sum(root.size for root in roots), roots, signature)

    def proof(self, index: int) -> Proof:
        """Return the proof that block ``index`` is under the last synced head.

        Raises:
            LocalProtocolError: The block does not exist or is not synced.
            StorageError: A node is missing (``feed-damaged``).
        """
        head = self._synced_head
        if not 0 <= index < head.length:
            raise LocalProtocolError(f"There is no synced block {index}.", code="feed-no-block")
        return make_proof(index, head, self.node)

    def close(self) -> None:
        """Close the files. An unsynced batch is left to the operating system."""
        self._poisoned = True
        self._files.close()

    def __enter__(self) -> Feed:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _refuse_when_poisoned(self) -> None:
        if self._poisoned:
            raise StorageError(
                "The feed is closed, or a write to it failed: open it again.", code="feed-closed"
            )

    def _check_range(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= self._head.length:
            raise LocalProtocolError(
                f"Blocks {start} to {end} are not all in a feed of {self._head.length}.",
                code="feed-no-block",
            )

    def _byte_offset(self, index: int) -> int:
        return sum(self.node(root).size for root in full_roots(index))

    def _read_block(self, index: int, offset: int) -> bytes:
        leaf = self.node(2 * index)
        data = self._files.data
        # A size from a damaged file must not make us ask for more memory than there are bytes.
        if leaf.size <= _MANY_BYTES or offset + leaf.size <= data.size():
            block = data.read(offset, leaf.size)
            if leaf_hash(block) == leaf.hash:
                return block
        raise FeedDamagedError(f"Block {index} in {data.path} is not what its leaf says.")


def _read_key(files: FileSystem, path: Path, size: int) -> bytes:
    """Return the bytes of a key file."""
    file = SleepFile(files, path, writable=False, create=False)
    try:
        value = file.read(0, size + 1)
    finally:
        file.close()
    if len(value) != size:
        raise FeedDamagedError(f"{path} does not hold a key of {size} bytes.")
    return value
