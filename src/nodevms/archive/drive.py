"""A hyperdrive 9: files and folders in two feeds, as Dat programs read and write them.

The metadata feed is a header and an append-only tree of paths; the content feed is the bytes of
all files, one after another. A drive's version is its number of changes, and every old version
stays readable. Whoever signed the feeds is not trusted to have signed sense: everything is
checked as it is read.

Spec: hyperdrive 9 as deployed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from nodevms.archive.append_tree import OFFSET, AppendTree
from nodevms.archive.drive_errors import BadDriveError, NotInDriveError
from nodevms.archive.drive_feeds import Blocks, KeyedBlocks
from nodevms.archive.messages import (
    FILE_TYPE,
    FOLDER_TYPE,
    Stat,
    decode_index,
)
from nodevms.archive.tree_node import Names, TreeNode, join_names, split_path
from nodevms.errors import CouldNotCheckError, UsageError

FILE_MODE = FILE_TYPE | 0o644
FOLDER_MODE = FOLDER_TYPE | 0o755
FILE_BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DriveChange:
    """One node of a drive's history.

    Attributes:
        version: The drive's version that it made.
        path: What it changed.
        kind: What is there afterwards.
        stat: The new stat, or None for a deletion.
        marker: The call-log length that the publication ending here reflects, or None.
    """

    version: int
    path: str
    kind: Literal["file", "folder", "deleted"]
    stat: Stat | None
    marker: int | None


class Drive:
    """Reads any version of a drive.

    Args:
        metadata: The metadata feed.
        content: The content feed.
        file_bytes_max: Longest file that `read` returns.

    Raises:
        BadDriveError: Block 0 is no header, or names another content feed.
        CouldNotCheckError: There is no block 0.
    """

    def __init__(
        self, metadata: Blocks, content: KeyedBlocks, *, file_bytes_max: int = FILE_BYTES_MAX
    ) -> None:
        check_header(metadata, content.key)
        self._metadata = metadata
        self._content = content
        self._file_bytes_max = file_bytes_max
        self._tree = AppendTree(self._node)

    @property
    def version(self) -> int:
        """The newest version; 0 for a drive that nothing was written to."""
        return self._metadata.length - 1

    def list(self, path: str, version: int | None = None) -> list[str]:
        """Return the names in a folder, in ascending order; none for an empty folder or a file.

        Raises:
            NotInDriveError: There is nothing at the path in this version.
            BadDriveError: A block on the way is malformed.
        """
        names = path_names(path)
        found = self._tree.folder(self._checked(version), names)
        if names and not found:
            raise not_there(path)
        return sorted(name for name in found if name is not None)

    def stat(self, path: str, version: int | None = None) -> Stat:
        """Return what the drive says about a path.

        A folder that only exists because something is in it has hyperdrive's default stat.

        Raises:
            NotInDriveError: There is nothing at the path in this version.
            BadDriveError: A block on the way is malformed.
        """
        names = path_names(path)
        version = self._checked(version)
        node = self._tree.find(version, names)
        if node is not None and node.value is not None:
            return Stat.decode(node.value, seq=node.seq)
        if names and not self._tree.folder(version, names):
            raise not_there(path)
        return Stat(mode=FOLDER_MODE)

    def read(self, path: str, version: int | None = None) -> bytes:
        """Return a file's content.

        Raises:
            NotInDriveError: There is no file at the path in this version.
            BadDriveError: A block on the way is malformed, or the blocks are not of the size that
                the stat gives.
            CouldNotCheckError: The file is longer than `file_bytes_max`.
        """
        stat = self.stat(path, version)
        if stat.is_folder:
            raise not_there(path)
        if stat.size > self._file_bytes_max:
            raise CouldNotCheckError(
                f"{path} is longer than this reader's limit.", code="too-large"
            )
        if stat.offset + stat.blocks > self._content.length and stat.blocks:
            raise BadDriveError(f"{path} lies beyond the end of the content feed")
        parts = []
        size = 0
        for index in range(stat.offset, stat.offset + stat.blocks):
            parts.append(self._content.get(index))
            size += len(parts[-1])
            if size > stat.size:
                break
        if size != stat.size:
            raise BadDriveError(f"{path} has not the size that its stat gives")
        return b"".join(parts)

    def walk(self, version: int | None = None) -> Iterator[tuple[str, Stat]]:
        """Yield (path, stat) of everything that was written and is there, folders first.

        Raises:
            BadDriveError: A block on the way is malformed.
        """
        for node in self._tree.walk(self._checked(version)):
            if node.value is not None:
                yield join_names(node.names), Stat.decode(node.value, seq=node.seq)

    def history(self, start: int = OFFSET, end: int | None = None) -> Iterator[DriveChange]:
        """Yield the changes that made versions `start` to `end` (exclusive; default: all).

        Raises:
            BadDriveError: A block is malformed.
        """
        for seq in range(max(start, OFFSET), self._metadata.length if end is None else end):
            yield change_of(self._node(seq))

    def _checked(self, version: int | None) -> int:
        if version is None:
            return self.version
        if not 0 <= version <= self.version:
            raise NotInDriveError(f"The drive has no version {version}.", code="no-such-version")
        return version

    def _node(self, seq: int) -> TreeNode:
        return TreeNode.decode(seq, self._metadata.get(seq))


def check_header(metadata: Blocks, content_key: bytes) -> None:
    """Check that a metadata feed is that of a drive with this content feed.

    Raises:
        BadDriveError: Block 0 is no header, or names another content feed.
        CouldNotCheckError: There is no block 0.
    """
    if metadata.length == 0:
        raise CouldNotCheckError("The metadata feed is empty.", code="drive-empty")
    if decode_index(metadata.get(0)) != content_key:
        raise BadDriveError("the header names another content feed", seq=0)


def change_of(node: TreeNode) -> DriveChange:
    """Return what a node changed.

    Raises:
        BadDriveError: Its stat is malformed.
    """
    path = join_names(node.names)
    if node.value is None:
        return DriveChange(node.seq, path, "deleted", None, node.marker)
    stat = Stat.decode(node.value, seq=node.seq)
    kind: Literal["file", "folder"] = "folder" if stat.is_folder else "file"
    return DriveChange(node.seq, path, kind, stat, node.marker)


def path_names(path: str) -> Names:
    """Return the names of a path that the caller gave.

    Raises:
        UsageError: It is not an absolute, plain path.
    """
    try:
        return split_path(path)
    except ValueError as error:
        raise UsageError(str(error), code="bad-path") from error


def not_there(path: str) -> NotInDriveError:
    """Return the error for a path that a version does not have."""
    return NotInDriveError(f"The drive has no {path} in this version.")
