"""What a drive needs of its two feeds, so that files, downloads and memory all serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Blocks(Protocol):
    """A feed that can be read. Its blocks are what the feed's key signed."""

    @property
    def length(self) -> int:
        """Number of blocks."""

    def get(self, index: int, /) -> bytes:
        """Return one block."""


class ByteOffsets(Protocol):
    """A feed that knows where its blocks begin."""

    @property
    def length(self) -> int:
        """Number of blocks."""

    def byte_offset(self, index: int, /) -> int:
        """Return the byte length of all blocks before this one; `index` may be the length."""


class KeyedBlocks(Blocks, Protocol):
    """A feed that can be read and knows its key."""

    @property
    def key(self) -> bytes:
        """The feed's public key, 32 bytes."""


class WritableBlocks(KeyedBlocks, Protocol):
    """A feed that can be appended to."""

    @property
    def byte_length(self) -> int:
        """Bytes of all blocks."""

    @property
    def synced_length(self) -> int:
        """Number of blocks that a crash cannot take away."""

    def append(self, blocks: Sequence[bytes], /) -> int:
        """Append one batch under one signature and return the index of its first block."""

    def sync(self) -> None:
        """Return when everything appended survives a crash."""
