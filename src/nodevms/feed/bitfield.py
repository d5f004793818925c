"""The bitfield file of a feed that has all its blocks, computed from its length alone.

hypercore keeps in it which blocks (data bits) and tree nodes (tree bits) it has, and an index that
says of runs of blocks whether all, some or none are there. A feed without holes needs none of
that to be read, so this package writes the file for hypercore and never trusts it. Nothing is kept
in memory.

A page is 3584 bytes: 1024 of data bits (8192 blocks), 2048 of tree bits (16384 nodes) and 512 of
index. Bits count from the most significant. The index bytes of all pages, joined, are a flat tree:
a byte holds two bits (11 all, 01 some, 00 none) for each quarter of the blocks under it, and the
byte of a leaf covers 32 blocks.

Spec: DEP-0002 (SLEEP bitfield); the index follows hypercore 6, checked against its files.
"""

from __future__ import annotations

from collections.abc import Iterator

from nodevms.feed import flat_tree

PAGE_BYTES = 3584
PAGE_BLOCKS = 8192

DATA_BYTES, TREE_BYTES, INDEX_BYTES = 1024, 2048, 512
_DATA, _TREE, _INDEX = DATA_BYTES, TREE_BYTES, INDEX_BYTES
_ALL_SET = b"\xff" * _TREE
_NONE_SET = bytes(_TREE)
_JOINING_DEPTH = 9
"""From this depth in the index on, a byte stands for blocks of more than one page."""
_FAR_QUARTER = PAGE_BLOCKS // 2
"""Blocks under a quarter of the lowest index byte that can stand on an earlier page."""


def page_count(length: int) -> int:
    """Return the number of pages that the file of a feed of ``length`` blocks has."""
    return -(-length // PAGE_BLOCKS)


def pages(length: int, first: int = 0) -> Iterator[bytes]:
    """Yield the pages of the file from number ``first`` to the last, 3584 bytes each."""
    count = page_count(length)
    holes = flat_tree.unfinished(length)
    partial = _partial_index(length)
    for number in range(first, count):
        tree_start, index_start = number * _TREE * 8, number * _INDEX
        tree = bytearray(_run(2 * length - 1 - tree_start, _TREE))
        for node in holes:
            at = node - tree_start
            if 0 <= at < _TREE * 8:
                tree[at >> 3] &= ~(128 >> (at & 7))
        full = min(max(2 * (length // 32) - index_start, 0), _INDEX)
        index = bytearray(_ALL_SET[:full] + _NONE_SET[: _INDEX - full])
        for place in partial:
            if 0 <= place - index_start < _INDEX:
                index[place - index_start] = _index_byte(place, length)
        yield _run(length - number * PAGE_BLOCKS, _DATA) + tree + index


def changes(old_length: int, length: int) -> list[tuple[int, bytes]]:
    """Return what to write when a feed grows from ``old_length`` to ``length`` blocks.

    Returns:
        (offset after the file's header, bytes), not overlapping. The pages from that of the last
        old block on are given whole.
    """
    first = max(old_length - 1, 0) // PAGE_BLOCKS
    writes = [(first * PAGE_BYTES, b"".join(pages(length, first)))]
    borders_stay = old_length // _FAR_QUARTER == length // _FAR_QUARTER and -(
        -old_length // _FAR_QUARTER
    ) == -(-length // _FAR_QUARTER)
    if first == 0 or borders_stay:
        return writes
    return writes + _earlier_changes(old_length, length, first)


def _earlier_changes(old_length: int, length: int, first: int) -> list[tuple[int, bytes]]:
    """Return the bytes on pages before ``first`` that the growth changes."""
    writes = []
    holes = flat_tree.unfinished(length)
    for node in flat_tree.unfinished(old_length):
        number, bit = divmod(node, _TREE * 8)
        if number < first and node not in holes:
            byte = 0xFF
            for hole in holes:
                if hole >> 3 == node >> 3:
                    byte &= ~(128 >> (hole & 7))
            writes.append((number * PAGE_BYTES + _DATA + (bit >> 3), bytes([byte])))
    for place in sorted({*_partial_index(old_length), *_partial_index(length)}):
        number, at = divmod(place, _INDEX)
        byte = _index_byte(place, length)
        if number < first and byte != _index_byte(place, old_length):
            writes.append((number * PAGE_BYTES + _DATA + _TREE + at, bytes([byte])))
    return writes


def _run(bits: int, size: int) -> bytes:
    """Return ``size`` bytes of which the first ``bits`` bits are set."""
    if bits >= size * 8:
        return _ALL_SET[:size]
    if bits <= 0:
        return _NONE_SET[:size]
    full, rest = divmod(bits, 8)
    return _ALL_SET[:full] + bytes([0xFF00 >> rest & 0xFF]) + _NONE_SET[: size - full - 1]


def _partial_index(length: int) -> list[int]:
    """Return the places in the index whose blocks lie on both sides of the feed's end."""
    end = page_count(length) * _INDEX
    place = 2 * (length // 32)
    places = []
    while place < end or flat_tree.span(place)[0]:
        if place < end:
            places.append(place)
        place = flat_tree.parent(place)
    return places


def _index_byte(place: int, length: int) -> int:
    """Return the index byte at one place of a feed of ``length`` blocks.

    hypercore sets block by block, and after each goes up the index as long as a byte changes and
    stands on a page that exists. Two things follow for the places that join pages: a byte on a
    page that does not exist yet counts as none for its parent; and a new page's last byte stays
    zero when nothing below it changes by the first block of that page.
    """
    depth = flat_tree.depth(place)
    first, end = (32 * leaf for leaf in flat_tree.span(place))
    if length >= end:
        return 0xFF
    if length <= first or place >= page_count(length) * _INDEX:
        return 0
    if depth < _JOINING_DEPTH:
        quarter = 8 << depth
        byte = 0
        for start in range(first, end, quarter):
            byte = byte << 2 | (3 if length >= start + quarter else 1 if length > start else 0)
        return byte
    if depth >= _JOINING_DEPTH + 3 and length < (first + end) // 2:
        return 0
    left, right = (_index_byte(child, length) for child in flat_tree.children(place))
    return half(left) << 4 | half(right)


def half(byte: int) -> int:
    """Return the four bits that stand for a byte's two halves in its parent."""
    high, low = byte >> 4, byte & 15
    return (3 if high == 15 else 1 if high else 0) << 2 | (3 if low == 15 else 1 if low else 0)
