"""One node of the append-only tree, and the paths that name it.

Spec: append-tree 2 as used by hyperdrive 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from nodevms.archive.drive_errors import BadDriveError
from nodevms.archive.messages import NodeMessage
from nodevms.archive.paths import PATH_BYTES_MAX
from nodevms.archive.sibling_lists import decode_sibling_lists, encode_sibling_lists

Names = tuple[str, ...]
"""A path's names, root first; empty for the root itself."""


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One node, decoded.

    Attributes:
        seq: The metadata block that it stands in.
        names: Its path.
        value: An encoded Stat, or None for a deletion.
        paths: Its sibling lists, still encoded and unchecked.
        marker: The call-log length that a publication ending here reflects, or None.
    """

    seq: int
    names: Names
    value: bytes | None
    paths: bytes
    marker: int | None

    @classmethod
    def decode(cls, seq: int, block: bytes) -> TreeNode:
        """Read a metadata block.

        Raises:
            BadDriveError: No node, or its name is not an absolute, plain UTF-8 path.
        """
        message = NodeMessage.decode(block, seq=seq)
        if len(message.name) > PATH_BYTES_MAX:
            raise BadDriveError("its name is too long", seq=seq)
        try:
            names = split_path(message.name.decode())
        except ValueError as error:
            raise BadDriveError("its name is not an absolute, plain path", seq=seq) from error
        return cls(seq, names, message.value, message.paths, message.marker)

    @property
    def path(self) -> str:
        """Its path as text, beginning with a slash."""
        return join_names(self.names)

    def siblings(self, depth: int) -> list[int]:
        """Return its list for the folder `names[:depth]`; empty if it has none.

        Raises:
            BadDriveError: As `decode_sibling_lists`.
        """
        lists = decode_sibling_lists(self.seq, self.paths, lists_max=len(self.names) + 1)
        return lists[depth] if depth < len(lists) else []


def encode_node(
    seq: int,
    names: Names,
    value: bytes | None,
    lists: Sequence[Iterable[int]],
    marker: int | None = None,
) -> bytes:
    """Return the block of one node.

    Args:
        seq: The block number that it will get.
        names: Its path.
        value: An encoded Stat, or None for a deletion.
        lists: Its sibling lists, root first.
        marker: The call-log length, if it ends a publication.
    """
    paths = encode_sibling_lists(seq, lists)
    return NodeMessage(join_names(names).encode(), value, paths, marker).encode()


def split_path(path: str) -> Names:
    """Return the names of an absolute path.

    Raises:
        ValueError: It does not begin with a slash, or has an empty name, ``.`` or ``..``.
    """
    if path == "/":
        return ()
    names = tuple(path.split("/"))
    if names[0] or len(names) < 2 or any(name in {"", ".", ".."} for name in names[1:]):
        raise ValueError(f"not an absolute, plain path: {path!r}")
    return names[1:]


def join_names(names: Names) -> str:
    """Return the absolute path of names."""
    return "/" + "/".join(names)


def shared_depth(one: Names, other: Names) -> int:
    """Return how many names two paths share from the root."""
    depth = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        depth += 1
    return depth
