"""The computed bitfield against one that is set block by block, as hypercore does it."""

import random
from collections.abc import Iterator

import pytest

from nodevms.feed import bitfield, flat_tree

LENGTHS = [0, 1, 2, 7, 8, 9, 31, 32, 33, 100, 4095, 4096, 4097, 8191, 8192, 8193, 9000, 12288]
LENGTHS += [16383, 16384, 16385, 24576, 24577, 32768, 32769, 40000, 40960, 40961, 49153]
LENGTHS += [57344, 57345, 65535, 65536, 65537, 70000, 100_000, 131_072, 131_073]


def status(part: int, bits: int) -> int:
    return 3 if part == (1 << bits) - 1 else 1 if part else 0


def joined(byte: int) -> int:
    return status(byte >> 4, 4) << 2 | status(byte & 15, 4)


class SetBlockByBlock:
    """A bit for the block, one for each node that it completes, then the index upwards."""

    def __init__(self) -> None:
        self.length = 0
        self.data, self.tree, self.index = bytearray(), bytearray(), bytearray()

    def set_next(self) -> None:
        block = self.length
        self.length += 1
        if block % 8192 == 0:
            for part, size in ((self.data, 1024), (self.tree, 2048), (self.index, 512)):
                part.extend(bytes(size))
        self.data[block >> 3] |= 128 >> (block & 7)
        node = 2 * block
        while flat_tree.span(node)[1] <= self.length:
            self.tree[node >> 3] |= 128 >> (node & 7)
            if flat_tree.sibling(node) > node:
                break
            node = flat_tree.parent(node)
        self._index_upwards(2 * (block // 32))

    def _index_upwards(self, place: int) -> None:
        byte = 0
        for part in self.data[2 * place : 2 * place + 4]:
            byte = byte << 2 | status(part, 8)
        while place < len(self.index) and self.index[place] != byte:
            self.index[place] = byte
            other = flat_tree.sibling(place)
            beside = joined(self.index[other] if other < len(self.index) else 0)
            up = joined(byte)
            byte = up << 4 | beside if place < other else beside << 4 | up
            place = flat_tree.parent(place)

    def file(self) -> Iterator[bytes]:
        for page in range(len(self.index) // 512):
            yield bytes(self.data[1024 * page : 1024 * (page + 1)])
            yield bytes(self.tree[2048 * page : 2048 * (page + 1)])
            yield bytes(self.index[512 * page : 512 * (page + 1)])


def test_pages_are_those_set_block_by_block() -> None:
    reference = SetBlockByBlock()
    for length in LENGTHS:
        while reference.length < length:
            reference.set_next()
        pages = list(bitfield.pages(length))
        assert len(pages) == bitfield.page_count(length)
        assert b"".join(pages) == b"".join(reference.file()), length


@pytest.mark.parametrize("seed", range(5))
def test_changes_turn_the_old_file_into_the_new_one(seed: int) -> None:
    chosen = random.Random(seed)
    length, file = 0, bytearray()
    while length < 150_000:
        step = chosen.choice([1, 31, 300, 4000, 8192, 17_000, 40_000])
        if seed < 2:  # stop at the borders, where earlier pages change
            step = min(step, 4096 - length % 4096)
        for offset, data in bitfield.changes(length, length + step):
            assert offset <= len(file)
            file[offset : offset + len(data)] = data
        length += step
        assert file == b"".join(bitfield.pages(length))
