"""Inclusion proofs: that a block stands at one place under a head that the feed's key signed.

The same nodes in the same order as hypercore 6 sends: the siblings on the way up from the block,
then the other roots from left to right. Verifying needs the feed's key and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nodevms.feed import flat_tree
from nodevms.feed.digest import lacking
from nodevms.feed.errors import FeedFalseError
from nodevms.feed.heads import Head, verify_head
from nodevms.feed.merkle import HASH_BYTES, SIZE_MAX, Node, leaf_hash, parent_node

INDEX_MAX = 2**56
PROOF_NODES_MAX = 128


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that a block is in a feed.

    Attributes:
        nodes: Siblings from the block upwards, then the other roots from left to right.
        signature: The 64 bytes that cover the roots; empty when the nodes end in one that the
            asker said to hold.
    """

    nodes: tuple[Node, ...]
    signature: bytes


def make_proof(index: int, head: Head, node_at: Callable[[int], Node], digest: int = 0) -> Proof:
    """Make the proof of block ``index`` under a signed head.

    Args:
        index: A block below ``head.length``.
        head: The head that the proof ends in.
        node_at: Returns a stored node of the feed's tree.
        digest: Which of the nodes the one who asks has; see :mod:`nodevms.feed.digest`.
    """
    known = {root.index: root for root in head.roots}

    def under_head(node: int) -> bool:
        return flat_tree.span(node)[1] <= head.length

    indexes, signed = lacking(index, head.length, digest, under_head)
    nodes = [known.get(at) or node_at(at) for at in indexes]
    return Proof(tuple(nodes), head.signature if signed else b"")


def check_bounds(index: int, nodes: Sequence[Node]) -> None:
    """Check that nothing in a proof is out of all bounds.

    Raises:
        FeedFalseError: Something is.
    """
    if not 0 <= index < INDEX_MAX or len(nodes) > PROOF_NODES_MAX:
        raise FeedFalseError("The proof is out of bounds.", code="feed-proof")
    for node in nodes:
        if not (0 <= node.size <= SIZE_MAX and 0 <= node.index < 2 * INDEX_MAX):
            raise FeedFalseError("A node of the proof is out of bounds.", block=index)
        if len(node.hash) != HASH_BYTES:
            raise FeedFalseError("A hash of the proof has a wrong length.", block=index)


def verify_proof(key: bytes, index: int, block: bytes, proof: Proof) -> Head:
    """Check that the feed of this key has the block at this index.

    Guarantees, when it returns, that the key's owner signed a head in which block number
    ``index`` is exactly ``block``. All arguments may come from an enemy.

    Args:
        key: The feed's public key, 32 bytes.
        index: Number of the block, counted from 0.
        block: Its bytes.
        proof: What :meth:`Feed.proof` or hypercore's ``feed.proof`` made.

    Returns:
        The signed head that the proof ends in.

    Raises:
        FeedFalseError: The proof does not show that.
    """
    check_bounds(index, proof.nodes)
    top = Node(2 * index, leaf_hash(block), len(block))
    rest = list(proof.nodes)
    while rest and rest[0].index == flat_tree.sibling(top.index):
        other = rest.pop(0)
        pair = sorted((top, other), key=lambda node: node.index)
        top = parent_node(*pair)
    roots = tuple(sorted((top, *rest), key=lambda node: node.index))
    length = flat_tree.span(roots[-1].index)[1]
    head = Head(length, sum(root.size for root in roots), roots, proof.signature)
    try:
        verify_head(key, head)
    except FeedFalseError as error:
        raise FeedFalseError(
            f"The proof does not show that block {index} is in the feed: {error}",
            block=index,
            code="feed-proof",
        ) from error
    return head
