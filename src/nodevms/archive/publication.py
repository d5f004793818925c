"""What one publication writes: a pure function of the drive before it and the net changes.

A publication is one batch of nodes, one for each changed path: the deletions in path order, then
the rest in path order. hyperdrive 9 reads a version from its newest node, so a sibling list
matters only in the last node below a folder. That node carries the folder's whole list, and every
other node an empty one (which says "nothing but myself" or "nothing"). A publication therefore
costs each folder that it touched once.

The last node also carries the call log's length that the publication reflects, in field 17 of
Node. The same changes on the same drive give the same bytes, always: a verifier plans each
publication anew and compares.

Spec: docs/adr/0041-publications.md; append-tree 2.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from nodevms.archive.drive_errors import BadDriveError
from nodevms.archive.drive_feeds import ByteOffsets
from nodevms.archive.messages import FILE_TYPE, FOLDER_TYPE, INTEGER_MAX, Stat
from nodevms.archive.paths import PATH_BYTES_MAX
from nodevms.archive.record import ChangeKind, Record
from nodevms.archive.tree_node import Names, TreeNode, encode_node, split_path
from nodevms.errors import LocalProtocolError
from nodevms.feed import BATCH_BLOCKS_MAX, BLOCK_BYTES_MAX

CHANGES_MAX = BATCH_BLOCKS_MAX
"""Most paths of one publication: those of one batch, because a publication is atomic."""

IMPOSSIBLE = frozenset({"publication-too-large", "folder-too-large"})
"""Codes of errors that say that honest changes are too many for a drive."""

Folder = dict[str | None, int]
"""For each name in a folder its newest node, ascending; None stands for the folder itself."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a path has at the end of a publication.

    Attributes:
        path: Canonical path, not the root.
        kind: What is there now; ``deleted`` when nothing is.
        record: Size, time and place of the content; None when deleted.
    """

    path: str
    kind: ChangeKind
    record: Record | None


@dataclass(frozen=True, slots=True)
class _Write:
    seq: int
    names: Names
    value: bytes | None


class PublicationPlanner:
    """Plans publications on a drive, one after another.

    It remembers folders between publications, at most `cached_names_max` names of them while no
    publication is being planned.

    Args:
        get_node: Returns the node in a metadata block.
        content: The content feed, for the byte offsets of blocks.
        cached_names_max: How many names may be remembered.
    """

    def __init__(
        self,
        get_node: Callable[[int], TreeNode],
        content: ByteOffsets,
        *,
        cached_names_max: int = 262_144,
    ) -> None:
        self._get_node = get_node
        self._content = content
        self._cached_names_max = cached_names_max
        self._folders: OrderedDict[Names, Folder] = OrderedDict()
        self._cached_names = 0
        self._version = 0

    def plan(self, version: int, changes: Iterable[Published], log_length: int) -> list[bytes]:
        """Return the metadata blocks of a publication on top of a version.

        Deletions of what the drive does not have are left out; if nothing is left, the result is
        empty. The next call finds by its version whether these blocks were written.

        Args:
            version: The drive's version before: the block number of its newest node, 0 if none.
            changes: Net changes since that version, at most one a path, in any order.
            log_length: The call-log length that they lead to.

        Raises:
            LocalProtocolError: A path twice, a path that is not canonical, a record that is
                missing, of another kind, or beyond the content feed, more than CHANGES_MAX
                changes, or a folder with too many names for a block.
            BadDriveError: The drive's own blocks are malformed.
        """
        if version != self._version:
            self._forget()
        blocks = self._plan(version, _in_order(changes), log_length)
        self._version = version + len(blocks)
        self._shrink()
        return blocks

    def _forget(self) -> None:
        self._folders.clear()
        self._cached_names = 0

    def _plan(self, version: int, changes: list[Published], log_length: int) -> list[bytes]:
        if not 0 < log_length <= INTEGER_MAX:
            raise LocalProtocolError("A marker is a length above zero.", code="bad-marker")
        writes: list[_Write] = []
        folders: dict[Names, Folder] = {}
        last: dict[Names, int] = {}
        for change in changes:
            names = _names_of(change)
            value = self._value_of(change)
            self._read_way(version, names, folders)
            if change.kind == "deleted" and None not in folders[names]:
                continue
            if len(writes) == CHANGES_MAX:
                raise LocalProtocolError(
                    f"One publication holds at most {CHANGES_MAX} changes.",
                    code="publication-too-large",
                    hint="Publish up to an earlier entry of the call log first.",
                )
            write = _Write(version + 1 + len(writes), names, value)
            writes.append(write)
            for depth in range(len(names) + 1):
                last[names[:depth]] = write.seq
        _update(writes, folders, last)
        blocks = []
        for write in writes:
            lists = _lists_of(write, folders, last)
            marker = log_length if write is writes[-1] else None
            block = encode_node(write.seq, write.names, write.value, lists, marker)
            if len(block) > BLOCK_BYTES_MAX:
                raise LocalProtocolError(
                    f"A folder on the way to {write.names[-1]} has too many names to publish.",
                    code="folder-too-large",
                )
            blocks.append(block)
        for names, folder in folders.items():
            self._remember(names, folder)
        return blocks

    def _value_of(self, change: Published) -> bytes | None:
        record = change.record
        if change.kind == "deleted" and record is None:
            return None
        if record is None or record.kind != change.kind:
            raise LocalProtocolError(f"No record of {change.path} as it is now.", code="bad-record")
        if record.blocks and record.block + record.blocks > self._content.length:
            raise LocalProtocolError(f"{change.path} has no content yet.", code="bad-record")
        # A reader that keeps only the latest version clears what was deleted, and hyperdrive's
        # clear takes "from 0 to 0" for block 0: a place without content is never at 0.
        offset = record.block if record.blocks else max(record.block, 1)
        return Stat(
            mode=FILE_TYPE | 0o644 if record.kind == "file" else FOLDER_TYPE | 0o755,
            size=record.size,
            blocks=record.blocks,
            offset=offset,
            byte_offset=self._content.byte_offset(offset) if record.blocks else 0,
            mtime_ms=record.mtime_ms,
            ctime_ms=record.mtime_ms,
        ).encode()

    def _read_way(self, version: int, names: Names, folders: dict[Names, Folder]) -> None:
        """Add to `folders` what each folder on the way to a path held at the version."""
        newest: int | None = version
        for depth in range(len(names) + 1):
            prefix = names[:depth]
            folder = folders.get(prefix)
            if folder is None:
                folder = self._recall(prefix)
                if folder is None:
                    folder = self._read_folder(newest, prefix) if newest else {}
                folders[prefix] = folder
            if depth < len(names):
                newest = folder.get(names[depth])

    def _read_folder(self, newest: int, folder: Names) -> Folder:
        node = self._get_node(newest)
        depth = len(folder)
        if node.names[:depth] != folder:
            raise BadDriveError("a list leads to it from another folder", seq=newest)
        found: Folder = {}
        for seq in node.siblings(depth):
            names = node.names if seq == newest else self._get_node(seq).names
            if names[:depth] != folder:
                raise BadDriveError(f"it lists block {seq} of another folder", seq=newest)
            found[names[depth] if len(names) > depth else None] = seq
        return found

    # What is recalled leaves the cache until the plan is whole, so that a plan that fails half-way
    # leaves nothing wrong behind.
    def _recall(self, folder: Names) -> Folder | None:
        found = self._folders.pop(folder, None)
        if found is not None:
            self._cached_names -= len(found) + 1
        return found

    def _remember(self, names: Names, folder: Folder) -> None:
        # A file's own entry is as quickly read again from the one node that it leads to.
        if len(folder) > 1 or (folder and None not in folder):
            self._folders[names] = folder
            self._cached_names += len(folder) + 1

    def _shrink(self) -> None:
        while self._cached_names > self._cached_names_max:
            _, dropped = self._folders.popitem(last=False)
            self._cached_names -= len(dropped) + 1


def _in_order(changes: Iterable[Published]) -> list[Published]:
    """Return the changes in path order, deletions first.

    hyperdrive's own comparison of two versions, from which its clones learn what to download,
    finds a new file only if nothing was written below that path after it.
    """
    ordered = sorted(changes, key=lambda item: item.path)
    for change, following in pairwise(ordered):
        if change.path == following.path:
            raise LocalProtocolError(f"{change.path} is there twice.", code="path-twice")
    return sorted(ordered, key=lambda item: item.kind != "deleted")


def _names_of(change: Published) -> Names:
    try:
        names = split_path(change.path)
        size = len(change.path.encode())
    except ValueError as error:
        raise LocalProtocolError(str(error), code="bad-path") from error
    if not names or size > PATH_BYTES_MAX:
        raise LocalProtocolError(f"{change.path!r} cannot be published.", code="bad-path")
    return names


def _update(writes: list[_Write], folders: dict[Names, Folder], last: dict[Names, int]) -> None:
    """Bring the touched folders up to date, keeping each in ascending order of blocks."""
    changed: dict[Names, list[tuple[int, str | None]]] = {names: [] for names in last}
    deleted: set[int] = set()
    for write in writes:
        changed[write.names].append((write.seq, None))
        if write.value is None:
            deleted.add(write.seq)
    for names, seq in last.items():
        if names:
            changed[names[:-1]].append((seq, names[-1]))
    for names in sorted(changed, key=len, reverse=True):
        folder = folders[names]
        for seq, name in sorted(changed[names], key=lambda item: item[0]):
            folder.pop(name, None)
            lives = seq not in deleted if name is None else bool(folders[(*names, name)])
            if lives:
                folder[name] = seq


def _lists_of(
    write: _Write, folders: dict[Names, Folder], last: dict[Names, int]
) -> list[Iterable[int]]:
    """Return a node's lists: the folders that it is the last node of, and empty ones."""
    way = [write.names[:depth] for depth in range(len(write.names) + 1)]
    unread: tuple[int, ...] = (write.seq,)
    if write.value is None:
        deepest = max((depth for depth, names in enumerate(way) if folders[names]), default=0)
        way = way[: deepest + 1]
        unread = ()
    return [folders[names].values() if last[names] == write.seq else unread for names in way]
