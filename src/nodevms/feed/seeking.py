"""Finding the block that holds a byte, by the sizes in the tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nodevms.feed.flat_tree import children, span
from nodevms.feed.merkle import Node


def seek(roots: Sequence[Node], offset: int, node_at: Callable[[int], Node]) -> int | None:
    """Return the block that holds a byte of a feed.

    Args:
        roots: Those of the feed's head.
        offset: The byte's place, from 0.
        node_at: Returns a stored node of the feed's tree, or raises.

    Returns:
        The block's number, or None when the feed is not that long.
    """
    for root in roots:
        if offset < root.size:
            return _seek_under(root, offset, node_at)
        offset -= root.size
    return None


def _seek_under(node: Node, offset: int, node_at: Callable[[int], Node]) -> int:
    while node.index & 1:
        left, right = children(node.index)
        node = node_at(left)
        if offset >= node.size:
            offset -= node.size
            node = node_at(right)
    return span(node.index)[0]
