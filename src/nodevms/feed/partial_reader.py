"""Reading a feed with holes: blocks, nodes, proofs, and what is missing.

See :mod:`nodevms.feed.partial`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import RLock
from typing import TYPE_CHECKING

from nodevms.feed import flat_tree, keys
from nodevms.feed.digest import lacking, make_digest
from nodevms.feed.errors import FeedDamagedError, NoBlockError
from nodevms.feed.heads import Head
from nodevms.feed.holes import HoledBitfield
from nodevms.feed.merkle import Node, leaf_hash
from nodevms.feed.proofs import Proof
from nodevms.feed.seeking import seek

if TYPE_CHECKING:
    from nodevms.feed.sleep import FeedFiles

_NODES_KEPT_MAX = 8192


class PartialReader:
    """The reading half of :class:`nodevms.feed.PartialFeed`; safe from any thread.

    It is the ``HeldTree`` of :mod:`nodevms.feed.trusted_path`.
    """

    def __init__(self, files: FeedFiles, key: bytes, bits: HoledBitfield, head: Head) -> None:
        self._files = files
        self._key = key
        self._bits = bits
        self._head = self._flushed_head = head
        self._nodes: dict[int, Node] = {}
        self._next = (0, 0)
        self._lock = RLock()

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
        """Number of blocks under the longest head that was proved, flushed or not."""
        return self._head.length

    @property
    def byte_length(self) -> int:
        """Bytes of all these blocks, those that are missing included."""
        return self._head.byte_length

    def head(self) -> Head:
        """Return the longest head that is flushed: one that a crash does not take away."""
        return self._flushed_head

    def newest_head(self) -> Head:
        """Return the longest head that was proved, flushed or not."""
        return self._head

    def has(self, index: int) -> bool:
        """Tell whether a block is there."""
        with self._lock:
            return 0 <= index < self._head.length and self._bits.has_block(index)

    def have_bitmap(self, start: int, end: int) -> bytes:
        """Return which blocks are there, a bit each, the first in a byte's highest bit.

        Args:
            start: A multiple of 8.
            end: One past the last block; there are none after the feed's end.
        """
        with self._lock:
            have = self._bits.have(start, min(end, self._head.length))
        return have.ljust(-(-(end - start) // 8), b"\x00")

    def missing(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the runs of missing blocks below ``end``, as (first, one past the last)."""
        known_end = min(end, self._head.length)
        at = start
        while at < end:
            with self._lock:  # one run at a time, because the caller may put in between
                run = next(self._bits.missing(at, known_end), None) if at < known_end else None
            if run is None:
                if known_end < end:
                    yield max(at, known_end), end
                return
            if run[1] == known_end < end:
                yield run[0], end
                return
            yield run
            at = run[1]

    def holds(self, index: int) -> bool:
        """Tell whether a node of the tree is there."""
        with self._lock:
            return flat_tree.span(index)[1] <= self._head.length and self._bits.holds(index)

    def node(self, index: int) -> Node:
        """Return a node of the tree.

        Raises:
            NoBlockError: It is not there.
            StorageError: The file does not have it, against the bitfield (``feed-damaged``).
        """
        with self._lock:
            node = self._nodes.get(index)
            if node is not None:
                return node
            if not self.holds(index):
                raise NoBlockError(f"Node {index} of the tree is not there.")
            node = self._files.node(index)
            if node is None:
                raise FeedDamagedError(f"{self._files.tree.path} lacks node {index}.")
            self._remember((node,))
            return node

    def digest(self, index: int) -> int:
        """Return what to say in ``Request.nodes`` when this block is asked for."""
        with self._lock:
            return make_digest(index, self._head.length, self.holds)

    def proof(self, index: int, digest: int = 0) -> Proof:
        """Return the proof of block ``index`` under the newest head.

        Args:
            index: A block whose leaf is there (with the block itself it always is).
            digest: What the asker has; see :mod:`nodevms.feed.digest`.

        Raises:
            NoBlockError: The leaf is not there.
        """
        with self._lock:
            if index < 0 or not self.holds(2 * index):
                raise NoBlockError(f"The hash of block {index} is not there.")
            indexes, signed = lacking(index, self._head.length, digest, self.holds)
            nodes = tuple(self.node(at) for at in indexes)
            return Proof(nodes, self._head.signature if signed else b"")

    def get(self, index: int) -> bytes:
        """Return a block, checked against its leaf.

        A block that turns out to be another on the disk is not there any more: where data are
        mapped on files that people edit, that is no damage.

        Raises:
            NoBlockError: It is not there.
            StorageError: It cannot be read.
        """
        with self._lock:
            if not self.has(index):
                raise NoBlockError(f"Block {index} is not there.")
            leaf = self.node(2 * index)
            offset = self.byte_offset(index)
        # Never read more than there is; a last block that is empty may stand after the file's end.
        if not leaf.size or offset + leaf.size <= self._files.data.size():
            block = self._files.data.read(offset, leaf.size) if leaf.size else b""
            if leaf_hash(block) == leaf.hash:
                return block
        with self._lock:
            self._bits.set_block(index, there=False)
        raise NoBlockError(f"Block {index} is not there any more: its bytes are others now.")

    def seek(self, offset: int) -> int | None:
        """Return the block that holds this byte of the feed, or None if that is not known."""
        with self._lock:
            try:
                return seek(self._head.roots, offset, self.node)
            except NoBlockError:
                return None

    def byte_offset(self, index: int) -> int:
        """Return where a block stands, or would stand, in the data file.

        Raises:
            NoBlockError: The nodes left of it that give the sizes are not there. They are for
                every block that is there.
        """
        with self._lock:
            if self._next[0] == index:
                return self._next[1]
            return sum(self.node(root).size for root in flat_tree.full_roots(index))

    def _remember(self, nodes: Iterable[Node]) -> None:
        if len(self._nodes) > _NODES_KEPT_MAX:
            self._nodes.clear()
        for node in nodes:
            self._nodes[node.index] = node
