"""Keeps a backend's drive up to date with its state, one publication at a time.

The drive is a view: whatever is lost here can be published again from the state. What was
published is bound to the call log by its marker, and a verifier plans it anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from nodevms.archive.append_tree import OFFSET
from nodevms.archive.drive import check_header
from nodevms.archive.drive_feeds import ByteOffsets, KeyedBlocks, WritableBlocks
from nodevms.archive.publication import PublicationPlanner, Published
from nodevms.archive.tree_node import TreeNode
from nodevms.errors import LocalProtocolError, StorageError


class ContentFeed(KeyedBlocks, ByteOffsets, Protocol):
    """The content feed as the publisher needs it."""

    @property
    def synced_length(self) -> int:
        """Number of blocks that a crash cannot take away."""


class Publisher:
    """Appends publications to a drive that it alone writes.

    Args:
        metadata: The drive's metadata feed, with its header.
        content: The drive's content feed.
        cached_names_max: How many names of folders may be remembered between publications.

    Raises:
        BadDriveError: The header is malformed or names another content feed.
        CouldNotCheckError: There is no header.
        StorageError: The drive ends with a node that no publication ends with. Fatal.
    """

    def __init__(
        self, metadata: WritableBlocks, content: ContentFeed, *, cached_names_max: int = 262_144
    ) -> None:
        check_header(metadata, content.key)
        self._metadata = metadata
        self._content = content
        self._planner = PublicationPlanner(
            lambda seq: TreeNode.decode(seq, metadata.get(seq)),
            content,
            cached_names_max=cached_names_max,
        )
        self._marker = self._read_marker()

    @property
    def version(self) -> int:
        """The drive's version: the block number of its newest node, 0 if it has none."""
        return self._metadata.length - 1

    def last_marker(self) -> int:
        """Return the call-log length that the newest publication reflects, 0 before the first."""
        return self._marker

    def publish(self, changes: Iterable[Published], log_length: int) -> int:
        """Append and sync one publication, and return the drive's version after it.

        A batch is atomic, so the drive has all of it or nothing after a crash. Without anything
        to write (see `PublicationPlanner.plan`) nothing is appended and the marker stays.

        Args:
            changes: Net changes since the newest publication, at most one a path.
            log_length: The call-log length that they lead to.

        Raises:
            LocalProtocolError: The marker does not grow, content that is referred to is not
                synced, or as `PublicationPlanner.plan`.
        """
        if log_length <= self._marker:
            raise LocalProtocolError("A publication's marker must grow.", code="bad-marker")
        changes = list(changes)
        synced = self._content.synced_length
        for change in changes:
            record = change.record
            if record and record.blocks and record.block + record.blocks > synced:
                raise LocalProtocolError(
                    f"The content of {change.path} is not synced.", code="content-not-synced"
                )
        blocks = self._planner.plan(self.version, changes, log_length)
        if blocks:
            self._metadata.append(blocks)
            self._metadata.sync()
            self._marker = log_length
        return self.version

    def _read_marker(self) -> int:
        if self.version < OFFSET:
            return 0
        marker = TreeNode.decode(self.version, self._metadata.get(self.version)).marker
        if marker is None:
            raise StorageError(
                "The drive was written to by another program.",
                fatal=True,
                code="drive-foreign",
                hint="Restore files/metadata from a backup, or start a new backend.",
            )
        return marker
