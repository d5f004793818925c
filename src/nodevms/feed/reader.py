"""Reading a feed: blocks, tree nodes, earlier heads and proofs. See :mod:`nodevms.feed.feed`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodevms.feed import keys
from nodevms.feed.errors import FeedDamagedError, NoBlockError
from nodevms.feed.flat_tree import full_roots
from nodevms.feed.heads import Head
from nodevms.feed.merkle import Node, leaf_hash
from nodevms.feed.proofs import Proof, make_proof

if TYPE_CHECKING:
    from nodevms.feed.sleep import FeedFiles


class FeedReader:
    """The reading half of :class:`nodevms.feed.Feed`; its methods are safe from any thread."""

    def __init__(self, files: FeedFiles, key: bytes, head: Head) -> None:
        self._files = files
        self._key = key
        self._head = head
        self._synced_head = head

    @property
    def key(self) -> bytes:
        """The 32-byte public key."""
        return self._key

    @property
    def discovery_key(self) -> bytes:
        """The 32 bytes that name the feed without giving its key away."""
        return keys.discovery_key(self._key)

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

    def proof(self, index: int, digest: int = 0) -> Proof:
        """Return the proof that block ``index`` is under the last synced head.

        Args:
            index: The block.
            digest: Which of the proof's nodes the one who asks has (the wire's ``Request.nodes``):
                they are left out, and with them the signature when nothing needs it. 0 for the
                full proof.

        Raises:
            LocalProtocolError: The block does not exist or is not synced.
            StorageError: A node is missing (``feed-damaged``).
        """
        head = self._synced_head
        if not 0 <= index < head.length:
            raise NoBlockError(f"There is no synced block {index}.")
        return make_proof(index, head, self.node, digest)

    def _check_range(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= self._head.length:
            raise NoBlockError(
                f"Blocks {start} to {end} are not all in a feed of {self._head.length}."
            )

    def _byte_offset(self, index: int) -> int:
        return sum(self.node(root).size for root in full_roots(index))

    def _read_block(self, index: int, offset: int) -> bytes:
        leaf = self.node(2 * index)
        data = self._files.data
        # Sizes from a damaged tree must not make us ask for more memory than there are bytes.
        if offset + leaf.size <= data.size():
            block = data.read(offset, leaf.size)
            if leaf_hash(block) == leaf.hash:
                return block
        raise FeedDamagedError(f"Block {index} in {data.path} is not what its leaf says.")
