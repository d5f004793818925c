"""Which nodes of a proof the one who asks already has, in the 64 bits of ``Request.nodes``.

The lowest bit says that the others end in a node that the asker holds: the highest set bit then
stands for that node, and everything left of it is held too. Without it the others only say which
siblings on the way up from the block are held. The siblings' bits go from the block upwards.
0 asks for the full proof, 1 says that the block's own hash is held.

Spec: DEP-0010 (``Request.nodes``), checked against hypercore 6.
"""

from __future__ import annotations

from collections.abc import Callable

from nodevms.feed import flat_tree

DIGEST_MAX = 2**64 - 1


def make_digest(index: int, length: int, holds: Callable[[int], bool]) -> int:
    """Return the digest of what is held on the way up from a block.

    Args:
        index: The block that is going to be asked for.
        length: Blocks of the feed as far as it is known to the asker.
        holds: Tells whether a node of the tree is held.
    """
    node = 2 * index
    if holds(node):
        return 1
    digest, bit = 0, 2
    while flat_tree.span(node)[1] < length or flat_tree.span(node)[0] > 0:
        parent = flat_tree.parent(node)
        if holds(flat_tree.sibling(node)):
            digest |= bit
        if holds(parent):
            digest |= 2 * bit | 1
            return 1 if digest + 1 == 4 * bit else digest
        node, bit = parent, 2 * bit
    return digest


def lacking(
    index: int, length: int, digest: int, holds: Callable[[int], bool]
) -> tuple[list[int], bool]:
    """Return what a proof must hold for an asker with this digest.

    Args:
        index: The block; its leaf is held.
        length: Blocks under the head that the proof ends in, if it ends in one.
        digest: What the asker has.
        holds: Tells whether we hold a node of the tree.

    Returns:
        (indexes of the nodes in the order of a proof, whether it ends in the signed head).
    """
    if digest == 1:
        return [], False
    theirs = _told(index, digest, holds)
    roots = flat_tree.full_roots(length)
    node = 2 * index
    nodes: list[int] = []
    while node not in theirs:
        if node in roots:
            return nodes + [root for root in roots if root != node and root not in theirs], True
        sibling = flat_tree.sibling(node)
        if sibling not in theirs:
            nodes.append(sibling)
        node = flat_tree.parent(node)
    return nodes, False


def _told(index: int, digest: int, holds: Callable[[int], bool]) -> set[int]:
    """Return the nodes, among those that we hold, of which the digest says that they are held."""
    told: set[int] = set()
    ends_in_held, digest = digest & 1, digest >> 1
    node = 2 * index
    while digest:
        if digest == 1 and ends_in_held:
            told.add(node)
            left = min(node, flat_tree.sibling(node))
            told.update(flat_tree.full_roots(flat_tree.span(left)[1]))
            break
        if digest & 1:
            told.add(flat_tree.sibling(node))
        node, digest = flat_tree.parent(node), digest >> 1
    return {held for held in told if holds(held)}
