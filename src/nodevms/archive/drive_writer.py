"""Writes a hyperdrive 9 one change at a time, byte for byte as hyperdrive itself does.

A backend's drive is written by `nodevms.archive.publisher` instead, which is cheap in large
folders; this is for archives of one's own and for taking part in others.

Spec: hyperdrive 9 as deployed.
"""

from __future__ import annotations

from nodevms.archive.drive import FILE_MODE, FOLDER_MODE, Drive, not_there, path_names
from nodevms.archive.drive_feeds import WritableBlocks
from nodevms.archive.messages import Stat, encode_index
from nodevms.archive.record import BLOCK_BYTES_MAX
from nodevms.archive.tree_node import Names
from nodevms.errors import LocalProtocolError, UsageError


def create_drive(metadata: WritableBlocks, content_key: bytes) -> None:
    """Write and sync the header of a new drive.

    Raises:
        LocalProtocolError: The metadata feed is not empty.
    """
    if metadata.length:
        raise LocalProtocolError("The metadata feed has a drive already.", code="drive-exists")
    metadata.append([encode_index(content_key)])
    metadata.sync()


class DriveWriter(Drive):
    """Reads a drive and makes one change at a time, each synced before it returns.

    Args:
        metadata: The metadata feed, empty or with a drive's header.
        content: The drive's content feed.

    Raises:
        BadDriveError: The header is malformed or names another content feed.
    """

    def __init__(self, metadata: WritableBlocks, content: WritableBlocks) -> None:
        if metadata.length == 0:
            create_drive(metadata, content.key)
        super().__init__(metadata, content)
        self._metadata: WritableBlocks = metadata
        self._content: WritableBlocks = content

    def write_file(self, path: str, data: bytes, *, mtime_ms: int) -> int:
        """Write a file over whatever is at the path, and return the drive's new version."""
        names = path_names(path)
        offset, byte_offset = self._content.length, self._content.byte_length
        blocks = [data[at : at + BLOCK_BYTES_MAX] for at in range(0, len(data), BLOCK_BYTES_MAX)]
        # hyperdrive's stream hands over the first block before it has seen the others.
        for batch in (blocks[:1], blocks[1:]):
            if batch:
                self._content.append(batch)
                self._content.sync()
        stat = Stat(
            mode=FILE_MODE,
            size=len(data),
            blocks=len(blocks),
            offset=offset,
            byte_offset=byte_offset,
            mtime_ms=mtime_ms,
            ctime_ms=mtime_ms,
        )
        return self._put(names, stat)

    def mkdir(self, path: str, *, mtime_ms: int) -> int:
        """Write a folder and return the drive's new version."""
        stat = Stat(
            mode=FOLDER_MODE,
            offset=self._content.length,
            byte_offset=self._content.byte_length,
            mtime_ms=mtime_ms,
            ctime_ms=mtime_ms,
        )
        return self._put(path_names(path), stat)

    def unlink(self, path: str) -> int:
        """Delete a file and return the drive's new version.

        Raises:
            NotInDriveError: There is nothing that was written at the path.
        """
        names = path_names(path)
        if self._tree.find(self.version, names) is None:
            raise not_there(path)
        return self._delete(names)

    def rmdir(self, path: str) -> int:
        """Delete an empty folder and return the drive's new version.

        Raises:
            NotInDriveError: There is nothing that was written at the path.
            UsageError: The folder holds something.
        """
        names = path_names(path)
        found = self._tree.folder(self.version, names)
        if None not in found:
            raise not_there(path)
        if len(found) > 1:
            raise UsageError(f"{path} is not empty.", code="folder-not-empty")
        return self._delete(names)

    def _put(self, names: Names, stat: Stat) -> int:
        return self._append(
            self._tree.put(self.version, self._metadata.length, names, stat.encode())
        )

    def _delete(self, names: Names) -> int:
        return self._append(self._tree.delete(self.version, self._metadata.length, names))

    def _append(self, block: bytes) -> int:
        version = self._metadata.append([block])
        self._metadata.sync()
        return version
