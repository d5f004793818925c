"""A feed in memory, with the face that drives need."""

from __future__ import annotations

from collections.abc import Sequence


class MemoryFeed:
    def __init__(self, key: bytes = bytes(32)) -> None:
        self.key = key
        self.blocks: list[bytes] = []
        self.offsets = [0]
        self.synced_length = 0
        self.reads = 0

    @property
    def length(self) -> int:
        return len(self.blocks)

    @property
    def byte_length(self) -> int:
        return self.offsets[-1]

    def get(self, index: int) -> bytes:
        self.reads += 1
        if not 0 <= index < len(self.blocks):
            raise IndexError(index)
        return self.blocks[index]

    def byte_offset(self, index: int) -> int:
        return self.offsets[index]

    def append(self, blocks: Sequence[bytes]) -> int:
        first = len(self.blocks)
        for block in blocks:
            self.blocks.append(block)
            self.offsets.append(self.offsets[-1] + len(block))
        return first

    def sync(self) -> None:
        self.synced_length = len(self.blocks)
