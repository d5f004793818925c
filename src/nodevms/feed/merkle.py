"""The hashes of a feed's tree, and the builder that grows it batch by batch.

Everything here is bytes in, bytes out. A stored node is 40 bytes: its hash (32), then the number
of bytes of all blocks under it (u64, big-endian). :class:`MerkleBuilder` keeps only the roots, so
its memory grows with the logarithm of the length.

Spec: DEP-0002 (hypercore): BLAKE2b-256 over a type byte (0 leaf, 1 parent, 2 root), sizes as u64be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from operator import add

from nodevms.feed import flat_tree
from nodevms.feed.errors import FeedFalseError

HASH_BYTES = 32
NODE_BYTES = 40
NO_NODE = bytes(NODE_BYTES)
SIZE_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a feed's tree.

    Attributes:
        index: Its flat-tree number.
        hash: 32 bytes.
        size: Bytes of all blocks under it.
    """

    index: int
    hash: bytes
    size: int

    @classmethod
    def from_stored(cls, index: int, stored: bytes) -> Node:
        """Return the node that the 40 stored bytes spell."""
        return cls(index, stored[:HASH_BYTES], int.from_bytes(stored[HASH_BYTES:], "big"))

    def stored(self) -> bytes:
        """Return the 40 bytes that the ``tree`` file holds for this node."""
        return self.hash + self.size.to_bytes(8, "big")


def leaf_hash(block: bytes) -> bytes:
    """Return H(00 ‖ byte length ‖ block)."""
    return blake2b(b"\x00" + len(block).to_bytes(8, "big") + block, digest_size=32).digest()


def parent_hash(left: bytes, right: bytes, size: int) -> bytes:
    """Return H(01 ‖ size ‖ left ‖ right), where size is the sum of the children's sizes."""
    return blake2b(b"\x01" + size.to_bytes(8, "big") + left + right, digest_size=32).digest()


def parent_node(left: Node, right: Node) -> Node:
    """Return the parent of two siblings.

    Raises:
        FeedFalseError: Their sizes add up to more than 64 bits hold.
    """
    size = left.size + right.size
    if size > SIZE_MAX:
        raise FeedFalseError(f"The sizes under nodes {left.index} and {right.index} are absurd.")
    return Node(flat_tree.parent(left.index), parent_hash(left.hash, right.hash, size), size)


def root_hash(roots: Iterable[Node]) -> bytes:
    """Return H(02 ‖ for each root, left to right: hash ‖ index ‖ size): what a feed's key signs."""
    parts = [b"\x02"]
    for root in roots:
        parts += (root.hash, root.index.to_bytes(8, "big"), root.size.to_bytes(8, "big"))
    return blake2b(b"".join(parts), digest_size=32).digest()


@dataclass(frozen=True, slots=True)
class Growth:
    """The nodes that a batch adds to the tree.

    Attributes:
        first: Index of the batch's first leaf: the place of ``nodes[0]``.
        nodes: 40 bytes for each index from ``first`` to the batch's last leaf; NO_NODE where the
            batch does not complete the node.
        earlier: Nodes before ``first`` that the batch completes: (index, 40 bytes), by depth.
    """

    first: int
    nodes: list[bytes]
    earlier: list[tuple[int, bytes]]


class MerkleBuilder:
    """Grows a tree from its roots. Deterministic: batch borders change no hash."""

    __slots__ = ("_roots", "byte_length", "length")

    def __init__(self, length: int = 0, roots: Sequence[Node] = ()) -> None:
        """Start at ``length`` leaves whose roots are ``roots``, left to right."""
        self.length = length
        self.byte_length = sum(root.size for root in roots)
        self._roots = {flat_tree.depth(root.index): (root.hash, root.size) for root in roots}

    def roots(self) -> tuple[Node, ...]:
        """Return the present roots, left to right."""
        return tuple(
            Node(index, *self._roots[flat_tree.depth(index)])
            for index in flat_tree.full_roots(self.length)
        )

    def root_hash(self) -> bytes:
        """Return the hash that a signature at the present length covers."""
        return root_hash(self.roots())

    def append(self, blocks: Sequence[bytes]) -> Growth:
        """Add the blocks as leaves, and return every node that they complete.

        Works level by level on plain lists, because it is on the path of every entry.
        """
        first = 2 * self.length
        if not blocks:
            return Growth(first, [], [])
        nodes = [NO_NODE] * (2 * len(blocks) - 1)
        earlier: list[tuple[int, bytes]] = []
        sizes = [len(block) for block in blocks]
        coded = [size.to_bytes(8, "big") for size in sizes]
        hashes = [
            blake2b(b"\x00" + size + block, digest_size=32).digest()
            for size, block in zip(coded, blocks, strict=True)
        ]
        start, end, level = self.length, self.length + len(blocks), 0
        self.byte_length += sum(sizes)
        while True:
            stored = list(map(add, hashes, coded))
            place = flat_tree.node_index(level, start) - first
            stride = 2 << level
            if place < 0:
                earlier.append((first + place, stored.pop(0)))
                place += stride
            nodes[place : place + stride * len(stored) : stride] = stored
            if start & 1:  # the node left of ours is an old root: it gets its parent now
                left_hash, left_size = self._roots.pop(level)
            if end & 1:
                self._roots[level] = hashes[-1], sizes[-1]
            if start & 1:
                hashes.insert(0, left_hash)
                sizes.insert(0, left_size)
            if len(hashes) < 2:
                break
            sizes = list(map(add, sizes[::2], sizes[1::2]))
            coded = [size.to_bytes(8, "big") for size in sizes]
            hashes = [
                blake2b(b"\x01" + size + left + right, digest_size=32).digest()
                for size, left, right in zip(coded, hashes[::2], hashes[1::2], strict=False)
            ]
            start, end, level = start >> 1, end >> 1, level + 1
        self.length += len(blocks)
        return Growth(first, nodes, earlier)
