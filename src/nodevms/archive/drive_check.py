"""Checks a backend's published drive against what its state says should be there.

The drive's bytes are a pure function of the changes, so the check is that of equality: each
publication is planned anew on top of the ones already found right, and compared block by block.
Nothing that the feed says is believed before that, except as the claim to be compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nodevms.archive.append_tree import OFFSET
from nodevms.archive.drive import DriveChange, change_of, check_header
from nodevms.archive.drive_errors import BadDriveError
from nodevms.archive.drive_feeds import Blocks, ByteOffsets
from nodevms.archive.publication import CHANGES_MAX, IMPOSSIBLE, PublicationPlanner, Published
from nodevms.archive.tree_node import TreeNode
from nodevms.errors import LocalProtocolError


@dataclass(frozen=True, slots=True)
class DrivePublication:
    """One publication as the feed has it; a claim.

    Attributes:
        first: Metadata block of its first node.
        version: Metadata block of its last node: the drive's version that it made.
        marker: The call-log length that it says it reflects.
        changes: What it changed, in the order of its nodes.
    """

    first: int
    version: int
    marker: int
    changes: tuple[DriveChange, ...]


def publications(metadata: Blocks, start: int = OFFSET) -> Iterator[DrivePublication]:
    """Yield a drive's publications, oldest first. Memory is that of one publication.

    Args:
        metadata: The metadata feed.
        start: Metadata block of the first publication to yield.

    Raises:
        BadDriveError: A block is malformed, markers do not grow, a publication has more than
            CHANGES_MAX changes, or the last one has no end.
    """
    changes: list[DriveChange] = []
    marker = 0
    for seq in range(start, metadata.length):
        change = change_of(TreeNode.decode(seq, metadata.get(seq)))
        changes.append(change)
        if len(changes) > CHANGES_MAX:
            raise BadDriveError("no honest publication is as long as this one", seq=seq)
        if change.marker is not None:
            if change.marker <= marker:
                raise BadDriveError("the marker does not grow", seq=seq)
            marker = change.marker
            yield DrivePublication(changes[0].version, seq, marker, tuple(changes))
            changes = []
    if changes:
        raise BadDriveError("the drive ends inside a publication", seq=changes[-1].version)


class DriveChecker:
    """Compares publications, oldest first, with what they should be.

    Args:
        metadata: The metadata feed.
        content: The content feed, whose hashes were checked.
        content_key: The content feed's key, as the call log names it.
        cached_names_max: How many names of folders may be remembered.

    Raises:
        BadDriveError: The header is malformed or names another content feed.
        CouldNotCheckError: The metadata feed is empty.
    """

    def __init__(
        self,
        metadata: Blocks,
        content: ByteOffsets,
        content_key: bytes,
        *,
        cached_names_max: int = 262_144,
    ) -> None:
        check_header(metadata, content_key)
        self._metadata = metadata
        self._planner = PublicationPlanner(
            lambda seq: TreeNode.decode(seq, metadata.get(seq)),
            content,
            cached_names_max=cached_names_max,
        )

    def check(self, publication: DrivePublication, changes: Iterable[Published]) -> None:
        """Check one publication; those before it must have been found right.

        Args:
            publication: The claim.
            changes: The state's net changes from the previous marker to this one.

        Raises:
            BadDriveError: A block differs from what these changes give; code
                ``publication-differs``.
        """
        try:
            expected = self._planner.plan(publication.first - 1, changes, publication.marker)
        except LocalProtocolError as error:
            if error.code not in IMPOSSIBLE:
                raise
            # What no publisher can write was not written by an honest one.
            raise BadDriveError(
                f"this publication is impossible: {error}",
                seq=publication.first,
                code="publication-differs",
            ) from error
        for seq, block in enumerate(expected, start=publication.first):
            # Only the last block of either has a marker: they end together or differ before.
            if self._metadata.get(seq) != block:
                path = TreeNode.decode(seq, block).path
                raise _differs(path, "is not what the log leads to", seq)
        end = publication.first + len(expected)
        if end <= publication.version:
            path = publication.changes[len(expected)].path
            raise _differs(path, "should not have been published", end)


def _differs(path: str, what: str, seq: int) -> BadDriveError:
    return BadDriveError(f"{path} {what}", seq=seq, code="publication-differs")
