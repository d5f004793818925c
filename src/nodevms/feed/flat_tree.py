"""Numbers of the nodes of an append-only binary tree, laid out in one flat array.

Leaf *n* is node ``2 * n``; a parent stands between its two subtrees. Nodes of a complete subtree
never move when the tree grows, so the number of a node is also its place in the ``tree`` file.
A *length* is a count of leaves, an *index* is the number of a node.

Spec: DEP-0002 (hypercore), "in-order notation" of RFC 7574.
"""

from __future__ import annotations


def depth(index: int) -> int:
    """Return how many levels the node stands above the leaves (0 for a leaf)."""
    return (~index & (index + 1)).bit_length() - 1


def offset(index: int) -> int:
    """Return the position of the node among the nodes of its own depth, from the left."""
    return index >> (depth(index) + 1)


def node_index(depth: int, offset: int) -> int:
    """Return the index of the node at this depth and this position from the left."""
    return (((offset << 1) | 1) << depth) - 1


def parent(index: int) -> int:
    """Return the index of the node's parent."""
    level = depth(index)
    return node_index(level + 1, index >> (level + 2))


def sibling(index: int) -> int:
    """Return the index of the other child of the node's parent."""
    level = depth(index)
    return node_index(level, (index >> (level + 1)) ^ 1)


def children(index: int) -> tuple[int, int]:
    """Return the indexes of the left and the right child of a node that is not a leaf."""
    half = 1 << (depth(index) - 1)
    return index - half, index + half


def span(index: int) -> tuple[int, int]:
    """Return the range of blocks under the node, as (first, one past the last)."""
    level = depth(index)
    first = (index >> (level + 1)) << level
    return first, first + (1 << level)


def full_roots(length: int) -> list[int]:
    """Return the roots of the complete subtrees that cover ``length`` leaves, left to right."""
    roots = []
    start = 0
    for level in range(length.bit_length() - 1, -1, -1):
        if length >> level & 1:
            roots.append(node_index(level, start >> level))
            start += 1 << level
    return roots


def unfinished(length: int) -> list[int]:
    """Return the nodes below the last leaf whose subtree ``length`` leaves do not complete.

    They are the only unused places of a ``tree`` file that ends with its last leaf: one between
    each root and the next.
    """
    return [2 * span(root)[1] - 1 for root in full_roots(length)[:-1]]
