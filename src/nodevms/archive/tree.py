"""The authenticated map behind the state root: a binary Merkle prefix tree over SHA-256(path).

Keys are 256 bits, bit 0 the most significant of the first byte. An inner node stands at the first
bit in which the keys below it differ (path compression), so the tree, and with it the root,
depends only on what is in the map and never on the order in which it got there.

    empty  H(02)
    leaf   H(00 ‖ key ‖ SHA-256(value))
    inner  H(01 ‖ u8 bit index ‖ left ‖ right)         H = SHA-256

A node keeps its children's hashes, and a leaf lives inside its parent: a change loads, hashes and
stores the nodes on one path, about log2(n) + 1 of them. A node's id in the store is its place, bit
index and prefix, so that it is replaced there; ids are in no hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple, Protocol

EMPTY_ROOT = sha256(b"\x02").digest()
_LEVELS = 5
_BYTES = tuple(bytes((byte,)) for byte in range(256))
_INNER_PREFIX = tuple(bytes((1, bit)) for bit in range(256))


class Leaf(NamedTuple):
    """A key and its value's hash, as a child of a node or as the whole tree."""

    hash: bytes
    key: bytes
    value_hash: bytes


class Branch(NamedTuple):
    """A reference to an inner node: its hash, and its id in the store."""

    hash: bytes
    id: bytes


Ref = Leaf | Branch


class Node(NamedTuple):
    """An inner node: the bit that decides, and what is left (0) and right (1) of it."""

    bit: int
    left: Ref
    right: Ref


class NodeStore(Protocol):
    """Where inner nodes are kept while the tree is read and changed."""

    def load(self, ref: Branch) -> Node:
        """Return the node of a reference; an absent or altered one is the store's error."""

    def put(self, node_id: bytes, node: Node) -> None:
        """Store or replace a node."""

    def drop(self, node_id: bytes) -> None:
        """Forget a node."""


Steps = list[tuple[bytes, Node]]


def root_hash(root: Ref | None) -> bytes:
    """Return the 32-byte state root of a tree."""
    return EMPTY_ROOT if root is None else root.hash


def make_leaf(key: bytes, value_hash: bytes) -> Leaf:
    """Return the leaf of a key and SHA-256(value)."""
    return Leaf(sha256(b"\x00" + key + value_hash).digest(), key, value_hash)


def inner_hash(bit: int, left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(_INNER_PREFIX[bit] + left + right).digest()


def place_of(key: bytes, bit: int) -> bytes:
    """Return the id of the node at a bit, on a key's way.

    u8 bit // 5 ‖ the prefix above the bit, in whole bytes ‖ u8 bit. In the order of these bytes,
    five levels of a subtree, 31 nodes, are neighbours: a store that keeps its rows in order touches
    a page where it would touch five.
    """
    whole, part = bit >> 3, bit & 7
    prefix = key[:whole]
    if part:
        prefix += _BYTES[key[whole] & 0xFF00 >> part]
    return _BYTES[bit // _LEVELS] + prefix + _BYTES[bit]


def bit_of(key: bytes, bit: int) -> int:
    """Return one bit of a key."""
    return key[bit >> 3] >> (7 - (bit & 7)) & 1


def find(store: NodeStore, root: Ref | None, key: bytes) -> tuple[Steps, Leaf | None]:
    """Follow a key's bits down to a leaf, which may be another key's.

    Returns:
        The nodes passed with their ids, top first, and the leaf; None for the empty tree.
    """
    return ([], None) if root is None else _descend(store, root, key)


def _descend(store: NodeStore, ref: Ref, key: bytes) -> tuple[Steps, Leaf]:
    steps: Steps = []
    while isinstance(ref, Branch):
        node = store.load(ref)
        steps.append((ref.id, node))
        bit = node.bit
        ref = node.right if key[bit >> 3] >> (7 - (bit & 7)) & 1 else node.left
    return steps, ref


def insert(store: NodeStore, root: Ref | None, key: bytes, value_hash: bytes) -> Ref:
    """Give a key a value, new or not, and return the new tree."""
    leaf = make_leaf(key, value_hash)
    if root is None:
        return leaf
    steps, found = _descend(store, root, key)
    if found.key == key:
        return _rehash(store, steps, key, leaf)
    bit = first_difference(key, found.key)
    depth = len(steps)
    while depth and steps[depth - 1][1].bit > bit:
        depth -= 1
    below = _child(steps[depth - 1][1], key) if depth else root
    left, right = (below, leaf) if bit_of(key, bit) else (leaf, below)
    node_id = place_of(key, bit)
    store.put(node_id, Node(bit, left, right))
    branch = Branch(inner_hash(bit, left.hash, right.hash), node_id)
    return _rehash(store, steps[:depth], key, branch)


def remove(store: NodeStore, root: Ref | None, key: bytes) -> Ref | None:
    """Take a key out and return the new tree, None when it is empty.

    Raises:
        KeyError: The key is not in the tree.
    """
    steps, found = find(store, root, key)
    if found is None or found.key != key:
        raise KeyError(key)
    if not steps:
        return None
    node_id, parent = steps.pop()
    store.drop(node_id)
    sibling = parent.left if bit_of(key, parent.bit) else parent.right
    return _rehash(store, steps, key, sibling)


def naive_root(leaves: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Recompute a root from all (key, SHA-256(value)) pairs, straight from the definition."""
    items = sorted(leaves)
    if not items:
        return EMPTY_ROOT
    return _naive(items)


def _naive(items: list[tuple[bytes, bytes]]) -> bytes:
    if len(items) == 1:
        return make_leaf(*items[0]).hash
    bit = first_difference(items[0][0], items[-1][0])
    middle = next(i for i, (key, _) in enumerate(items) if bit_of(key, bit))
    return inner_hash(bit, _naive(items[:middle]), _naive(items[middle:]))


def first_difference(one: bytes, other: bytes) -> int:
    """Return the index of the first bit in which two different keys differ."""
    return 256 - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


def _child(node: Node, key: bytes) -> Ref:
    return node.right if bit_of(key, node.bit) else node.left


def _rehash(store: NodeStore, steps: Steps, key: bytes, ref: Ref) -> Ref:
    for node_id, (bit, left, right) in reversed(steps):
        if key[bit >> 3] >> (7 - (bit & 7)) & 1:
            node = Node(bit, left, ref)
            digest = sha256(_INNER_PREFIX[bit] + left.hash + ref.hash).digest()
        else:
            node = Node(bit, ref, right)
            digest = sha256(_INNER_PREFIX[bit] + ref.hash + right.hash).digest()
        store.put(node_id, node)
        ref = Branch(digest, node_id)
    return ref
