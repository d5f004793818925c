"""The append-only tree of paths that hyperdrive 9 keeps in its metadata feed.

Every node names one path and lists, for each folder on the way to it, one block for each name in
that folder: the block of the newest node below that name. A reader starts at the newest node (the
head), takes the list of the deepest folder that head and wanted path share, goes on to the block
that has the wanted name there, and repeats.

Nothing here does I/O. Nodes come from a function and are not trusted: lists only point backwards
and every step must agree on one more name, so that a walk ends after as many steps as the path
has names, whatever the feed's author signed.

Spec: append-tree 2 as used by hyperdrive 9.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping

from nodevms.archive.drive_errors import BadDriveError
from nodevms.archive.tree_node import Names, TreeNode, encode_node, shared_depth

OFFSET = 1
"""The first block that is a node; block 0 is the drive's header."""

Children = Mapping[str | None, int]
"""For each name in a folder the block of its newest node; None stands for the folder itself."""


class AppendTree:
    """Reads and extends a tree whose nodes come from a function.

    A version is the block number of its newest node; 0 is the empty tree.

    Args:
        get_node: Returns the node in a block; raises BadDriveError if it holds none.
        cached_names_max: How many names of folders may be remembered between reads.
    """

    def __init__(
        self, get_node: Callable[[int], TreeNode], *, cached_names_max: int = 65_536
    ) -> None:
        self._get_node = get_node
        self._cached_names_max = cached_names_max
        self._cached_names = 0
        self._cache: OrderedDict[tuple[int, int], Children] = OrderedDict()

    def children(self, node: TreeNode, depth: int) -> Children:
        """Return what the folder `node.names[:depth]` held when `node` was its newest.

        Raises:
            BadDriveError: The list names a node outside the folder, or one name twice.
        """
        key = (node.seq, depth)
        known = self._cache.get(key)
        if known is not None:
            self._cache.move_to_end(key)
            return known
        found = self._read_children(node, depth)
        self._cache[key] = found
        self._cached_names += len(found) + 1
        while self._cached_names > self._cached_names_max:
            _, dropped = self._cache.popitem(last=False)
            self._cached_names -= len(dropped) + 1
        return found

    def folder(self, version: int, names: Names) -> Children:
        """Return what a folder holds at a version; empty if it is not there.

        Raises:
            BadDriveError: As `children`, on any list on the way.
        """
        if version < OFFSET:
            return {}
        node = self._get_node(version)
        while True:
            depth = shared_depth(node.names, names)
            found = self.children(node, depth)
            if depth == len(names):
                return found
            seq = found.get(names[depth])
            if seq is None:
                return {}
            node = self._get_node(seq)

    def find(self, version: int, names: Names) -> TreeNode | None:
        """Return the newest node of one path, or None if the version has no such path.

        Raises:
            BadDriveError: As `children`, or the node that the path leads to is a deletion.
        """
        seq = self.folder(version, names).get(None)
        return None if seq is None else self._living(seq)

    def walk(self, version: int) -> Iterator[TreeNode]:
        """Yield the newest node of every path of a version, folders before what they hold.

        Names of one folder come in ascending order. Memory is that of the folders on one path.

        Raises:
            BadDriveError: As `find`.
        """
        waiting = [(version, 0)] if version >= OFFSET else []
        while waiting:
            seq, depth = waiting.pop()
            found = dict(self._read_children(self._get_node(seq), depth))
            itself = found.pop(None, None)
            if itself is not None:
                yield self._living(itself)
            ordered = sorted(found.items(), key=lambda item: item[0] or "", reverse=True)
            waiting.extend((child, depth + 1) for _, child in ordered)

    def put(self, version: int, seq: int, names: Names, value: bytes) -> bytes:
        """Return the block that writes one path on top of a version.

        Args:
            version: The version to build on.
            seq: The block number that the new node will get.
            names: The path.
            value: An encoded Stat.
        """
        lists = [[*others, seq] for others in self._off_the_way(version, names)]
        return encode_node(seq, names, value, lists)

    def delete(self, version: int, seq: int, names: Names) -> bytes:
        """Return the block that deletes one path on top of a version.

        Its lists end at the deepest folder that still holds something; there the name is left
        out. Where hyperdrive 9 itself would lose living files that only a deletion stands for,
        this keeps them; everywhere else the bytes are the same.

        Args:
            version: The version to build on.
            seq: The block number that the new node will get.
            names: The path.
        """
        lists = self._off_the_way(version, names)
        deepest = max((depth for depth, others in enumerate(lists) if others), default=0)
        for others in lists[:deepest]:
            others.append(seq)
        return encode_node(seq, names, None, lists[: deepest + 1])

    def _read_children(self, node: TreeNode, depth: int) -> Children:
        seqs = node.siblings(depth)
        children = (node if seq == node.seq else self._get_node(seq) for seq in seqs)
        return {name: child.seq for name, child in by_name(node, depth, children).items()}

    def _living(self, seq: int) -> TreeNode:
        node = self._get_node(seq)
        if node.value is None:
            raise BadDriveError("it is a deletion, yet a folder lists it as there", seq=seq)
        return node

    def _off_the_way(self, version: int, names: Names) -> list[list[int]]:
        """For each folder on the way to a path, the blocks of what does not lead there."""
        lists: list[list[int]] = []
        node = self._get_node(version) if version >= OFFSET else None
        for depth in range(len(names) + 1):
            found = dict(self.children(node, depth)) if node is not None else {}
            onward = found.pop(names[depth] if depth < len(names) else None, None)
            lists.append(list(found.values()))
            if node is not None and shared_depth(node.names, names) <= depth:
                node = self._get_node(onward) if onward is not None else None
        return lists


def by_name(node: TreeNode, depth: int, children: Iterable[TreeNode]) -> dict[str | None, TreeNode]:
    """Return the nodes that a folder's list leads to, by their name in the folder.

    Args:
        node: The node that has the list.
        depth: The list's depth: the folder is `node.names[:depth]`.
        children: The nodes in the blocks that the list names.

    Raises:
        BadDriveError: One is outside the folder, or two have one name.
    """
    folder = node.names[:depth]
    found: dict[str | None, TreeNode] = {}
    for child in children:
        if child.names[:depth] != folder:
            raise BadDriveError(f"it lists block {child.seq} of another folder", seq=node.seq)
        name = child.names[depth] if len(child.names) > depth else None
        if name in found:
            raise BadDriveError(f"it lists a name twice, again in block {child.seq}", seq=node.seq)
        found[name] = child
    return found
