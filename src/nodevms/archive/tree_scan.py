"""Reading a whole version of a drive from a metadata feed that has holes.

The append-tree of a version hangs together by block numbers, so a reader needs only the blocks that
the version's folders list: as many as there are paths, however long the history. A scan goes down
from the newest node, says which blocks it cannot go on without, and is continued when some came.

No I/O. Nothing that the blocks say is trusted: lists only point backwards, every step agrees on one
more name, and each folder is visited once, so that a scan ends after as many steps as its blocks
have names.

Spec: append-tree 2 as used by hyperdrive 9.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from nodevms.archive.append_tree import OFFSET, by_name
from nodevms.archive.drive_errors import BadDriveError
from nodevms.archive.tree_node import TreeNode


class SparseBlocks(Protocol):
    """A feed that may have holes. Its blocks are what the feed's key signed."""

    def has(self, index: int, /) -> bool:
        """Whether a block is here."""

    def get(self, index: int, /) -> bytes:
        """Return a block that is here."""


class TreeScan:
    """Finds every path of one version.

    Args:
        metadata: The drive's metadata feed.
        version: The version: the block of its newest node; 0 is the empty drive.
    """

    def __init__(self, metadata: SparseBlocks, version: int) -> None:
        self._metadata = metadata
        self._missing: dict[int, None] = {}
        self._blocked: list[tuple[int | TreeNode, int]] = []
        if version >= OFFSET:
            self._blocked.append((version, 0))
            self._lacks([version])

    @property
    def missing(self) -> list[int]:
        """The blocks that it waits for, in the order in which it met them; none when it is done."""
        return [seq for seq in self._missing if not self._metadata.has(seq)]

    @property
    def done(self) -> bool:
        """Whether the whole version was found."""
        return not self._blocked

    def advance(self, on_folder: Callable[[], None] = lambda: None) -> Iterator[TreeNode]:
        """Go on as far as the blocks that are here lead, yielding the newest node of each path.

        A node is yielded once over all calls, in no particular order. Whoever stops an iteration
        early throws the scan away.

        Args:
            on_folder: Called before each folder is read: what it raises ends a scan that takes
                too long.

        Raises:
            BadDriveError: A block on the way is malformed.
        """
        waiting, self._blocked = self._blocked, []
        self._missing = {}
        while waiting:
            at, depth = waiting.pop()
            on_folder()
            node = self._node(at)
            children = self._children(node, depth) if node is not None else None
            if node is None or children is None:
                self._blocked.append((node or at, depth))
                continue
            itself = children.pop(None, None)
            if itself is not None:
                if itself.value is None:
                    raise BadDriveError(
                        "it is a deletion, yet a folder lists it as there", seq=itself.seq
                    )
                yield itself
            waiting.extend((child, depth + 1) for child in children.values())

    def _node(self, at: int | TreeNode) -> TreeNode | None:
        if isinstance(at, TreeNode):
            return at
        return None if self._lacks([at]) else TreeNode.decode(at, self._metadata.get(at))

    def _children(self, node: TreeNode, depth: int) -> dict[str | None, TreeNode] | None:
        seqs = node.siblings(depth)
        others = [seq for seq in seqs if seq != node.seq]
        if self._lacks(others):
            return None
        decode, get = TreeNode.decode, self._metadata.get
        children = (node if seq == node.seq else decode(seq, get(seq)) for seq in seqs)
        return by_name(node, depth, children)

    def _lacks(self, seqs: list[int]) -> bool:
        missing = [seq for seq in seqs if not self._metadata.has(seq)]
        self._missing.update(dict.fromkeys(missing))
        return bool(missing)
