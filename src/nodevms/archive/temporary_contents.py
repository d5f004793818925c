"""Contents of a replay: in memory while they are few, then in a temporary file."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import Self

from nodevms.archive.contents import cut
from nodevms.archive.record import block_count
from nodevms.errors import CouldNotCheckError, StorageError

_MEMORY_BYTES_MAX = 8 * 1024 * 1024
_OFFSET_BYTES = 8


class TemporaryContents:
    """Contents that go with the object; for one thread.

    Args:
        bytes_max: How many bytes may be stored in all: a hostile log must not fill the disk of
            its auditor.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._size = 0
        self._blocks = 0
        self._data = SpooledTemporaryFile(max_size=_MEMORY_BYTES_MAX)  # noqa: SIM115 - see close
        # Where each block starts; blocks have many sizes, and there may be many of them.
        self._offsets = SpooledTemporaryFile(max_size=_MEMORY_BYTES_MAX)  # noqa: SIM115

    def append(self, data: bytes) -> int:
        """Store a content and return its first block's index.

        Raises:
            CouldNotCheckError: Code `replay-disk-limit`: it would be more than the limit.
        """
        if self._size + len(data) > self._bytes_max:
            raise CouldNotCheckError(
                f"the replay writes more than {self._bytes_max} bytes", code="replay-disk-limit"
            )
        first = self._blocks
        self._data.seek(self._size)
        self._offsets.seek(first * _OFFSET_BYTES)
        self._data.write(data)
        for block in cut(data):
            self._offsets.write(self._size.to_bytes(_OFFSET_BYTES, "big"))
            self._size += len(block)
            self._blocks += 1
        return first

    def read(self, block: int, size: int) -> bytes:
        """Return `size` bytes from a block on.

        Raises:
            StorageError: Fatal, code `content-damaged`: there are no such blocks.
        """
        if not 0 <= block <= self._blocks - block_count(size):
            raise StorageError(f"no content block {block}", fatal=True, code="content-damaged")
        if size == 0:
            return b""
        self._offsets.seek(block * _OFFSET_BYTES)
        self._data.seek(int.from_bytes(self._offsets.read(_OFFSET_BYTES), "big"))
        return self._data.read(size)

    def close(self) -> None:
        """Remove the temporary files."""
        self._data.close()
        self._offsets.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
