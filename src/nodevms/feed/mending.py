"""What a feed with holes is worth after a crash: its head, and the bits that may be believed.

A flush syncs data, tree and signatures before it writes a bit, so whatever a bit says is there is
on the disk. But a power cut can keep a part of the written bits. Then a node may be there whose
parent seems not to be: the parent is on the disk all the same, and hashing tells. A bit for which
that fails was damaged by something else; it is cleared, and the block will be fetched again.

Signatures, nodes and data after the head were never flushed. They are cut off, and nodes that stand
between those of the head but cover more are wiped out: what is left is a feed that ends there.
"""

from __future__ import annotations

from functools import cache

from nodevms.feed import flat_tree
from nodevms.feed.bitfield import DATA_BYTES, PAGE_BLOCKS, TREE_BYTES
from nodevms.feed.errors import FeedDamagedError, FeedFalseError
from nodevms.feed.heads import EMPTY_HEAD, Head
from nodevms.feed.holes import HoledBitfield
from nodevms.feed.keys import SIGNATURE_BYTES
from nodevms.feed.merkle import NO_NODE, NODE_BYTES, Node, parent_node
from nodevms.feed.recovery import signed_heads
from nodevms.feed.sleep import HEADER_BYTES, HEADERS, FeedFiles, SleepFile

_PAGE_NODES = TREE_BYTES * 8
_PAGE_DEPTH = 13
"""Depth of the one node that covers the blocks of a page and nothing else."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_LEAVES = [sum((byte >> (7 - 2 * at) & 1) << (3 - at) for at in range(4)) for byte in range(256)]
_LEFT_LEAVES = bytes(leaves << 4 for leaves in _LEAVES)
_RIGHT_LEAVES = bytes(_LEAVES)


def mend(files: FeedFiles, bits: HoledBitfield, file: SleepFile, key: bytes) -> Head:
    """Return the head, after making the bits agree with it and each other, and syncing them.

    Args:
        files: The feed's open files.
        bits: The bits of ``file``.
        file: The bitfield file.
        key: The feed's public key.

    Raises:
        FeedDamagedError: The bits say that there is something, and no signature vouches for it.
    """
    head = _find_head(files, bits, key)
    files.signatures.cut(HEADER_BYTES + SIGNATURE_BYTES * head.length)
    files.tree.cut(HEADER_BYTES + NODE_BYTES * max(0, 2 * head.length - 1))
    for index in flat_tree.unfinished(head.length):
        if files.node_bytes(index).strip(b"\x00"):
            files.tree.write(HEADER_BYTES + NODE_BYTES * index, NO_NODE)
    files.data.cut(head.byte_length)
    for number in range(bits.page_count):
        page = bits.page(number)
        if page.strip(b"\x00"):
            _clear_after(bits, number, page, head.length)
            for node in _orphans(bits, number, head.length):
                _mend_upwards(files, bits, node, head.length)
            _clear_unproved_blocks(bits, number)
    if file.read(0, HEADER_BYTES) != HEADERS["bitfield"]:
        file.write(0, HEADERS["bitfield"])
    for number in range(bits.page_count):
        page = bits.page(number)
        if page.strip(b"\x00"):  # again even if it is right: a failed sync may have lost it
            file.write(HEADER_BYTES + len(page) * number, page)
    bits.take_changed()
    bits.written()
    for synced in (files.data, files.tree, files.signatures, file):
        synced.sync()
    return head


def _find_head(files: FeedFiles, bits: HoledBitfield, key: bytes) -> Head:
    """Return the longest head that is signed and whose roots the bits say are there."""
    vouched = False
    for head in signed_heads(files, key):
        vouched = True
        if all(bits.holds(root.index) for root in head.roots):
            return head
    # A power cut in a first flush may leave any of its bits, but it left a signature whole.
    if not vouched and _any_bit(bits):
        raise FeedDamagedError(
            f"No signature beside {files.tree.path} vouches for what the bitfield says is there."
        )
    return EMPTY_HEAD


def _any_bit(bits: HoledBitfield) -> bool:
    return any(bits.page(number).strip(b"\x00") for number in range(bits.page_count))


def _clear_after(bits: HoledBitfield, number: int, page: bytes, length: int) -> None:
    """Clear the bits of a page for blocks and nodes that are not under the head."""
    first = number * PAGE_BLOCKS
    if first + PAGE_BLOCKS > length:
        for index in _ones(page[:DATA_BYTES], first):
            if index >= length:
                bits.set_block(index, there=False)
        tree = page[DATA_BYTES : DATA_BYTES + TREE_BYTES]
        for node in _ones(tree, number * _PAGE_NODES):
            if flat_tree.span(node)[1] > length:
                bits.set_node(node, there=False)
    elif bits.holds(last := (number + 1) * _PAGE_NODES - 1) and flat_tree.span(last)[1] > length:
        bits.set_node(last, there=False)


def _ones(stored: bytes, first: int) -> list[int]:
    """Return the numbers of the bits that are set, where the first bit has number ``first``."""
    return [
        first + 8 * at + bit
        for at, byte in enumerate(stored)
        if byte
        for bit in range(8)
        if byte & 128 >> bit
    ]


def _orphans(bits: HoledBitfield, number: int, length: int) -> list[int]:
    """Return the nodes of a page, roots excepted, that are there without sibling or parent."""
    first = number * _PAGE_NODES
    stored = bits.page(number)[DATA_BYTES : DATA_BYTES + TREE_BYTES]
    here = int.from_bytes(stored.translate(_REVERSED), "little")
    suspects: set[int] = set()
    for depth in range(_PAGE_DEPTH):
        left, right, parents = _masks(depth)
        lefts, rights = (here & left) << (1 << depth), (here & right) >> (1 << depth)
        wrong = (lefts ^ rights) | ((lefts | rights) & ~(here & parents))
        while wrong:
            parent = first + wrong.bit_length() - 1
            wrong &= ~(1 << (parent - first))
            suspects.update(flat_tree.children(parent))
    suspects.update((first + _PAGE_NODES // 2 - 1, first + _PAGE_NODES - 1))
    roots = flat_tree.full_roots(length)
    return sorted(
        node
        for node in suspects
        if node not in roots
        and bits.holds(node)
        and not (bits.holds(flat_tree.sibling(node)) and bits.holds(flat_tree.parent(node)))
    )


@cache
def _masks(depth: int) -> tuple[int, int, int]:
    """Return the places of left children, right children and parents, lowest bit first."""
    left = right = parents = 0
    for parent in range((2 << depth) - 1, _PAGE_NODES, 4 << depth):
        left |= 1 << (parent - (1 << depth))
        right |= 1 << (parent + (1 << depth))
        parents |= 1 << parent
    return left, right, parents


def _mend_upwards(files: FeedFiles, bits: HoledBitfield, node: int, length: int) -> None:
    """Find a node's lost parents by hashing what is stored; forget the node if that fails."""
    roots = flat_tree.full_roots(length)
    found: list[int] = []
    top = files.node(node)
    while top is not None and top.index not in roots:
        sibling = files.node(flat_tree.sibling(top.index))
        parent = files.node(flat_tree.parent(top.index))
        if sibling is None or parent is None or not _are_family(top, sibling, parent):
            top = None
            break
        found.append(sibling.index)
        if bits.holds(parent.index) and bits.holds(sibling.index):
            break
        found.append(parent.index)
        top = parent
    if top is None:
        _forget(bits, node)
        return
    for index in found:
        bits.set_node(index)


def _are_family(one: Node, other: Node, parent: Node) -> bool:
    try:
        return parent_node(*sorted((one, other), key=lambda node: node.index)) == parent
    except FeedFalseError:
        return False


def _forget(bits: HoledBitfield, node: int) -> None:
    """Clear the bits of a node and of everything under it."""
    todo = [node]
    while todo:
        index = todo.pop()
        if bits.holds(index):
            bits.set_node(index, there=False)
            if index & 1:
                todo += flat_tree.children(index)


def _clear_unproved_blocks(bits: HoledBitfield, number: int) -> None:
    """Clear the bits of blocks whose leaf is not there."""
    page = bits.page(number)
    tree = page[DATA_BYTES : DATA_BYTES + TREE_BYTES]
    leaves = int.from_bytes(tree[0::2].translate(_LEFT_LEAVES), "big") | int.from_bytes(
        tree[1::2].translate(_RIGHT_LEAVES), "big"
    )
    wrong = int.from_bytes(page[:DATA_BYTES], "big") & ~leaves
    if wrong:
        for index in _ones(wrong.to_bytes(DATA_BYTES, "big"), number * PAGE_BLOCKS):
            bits.set_block(index, there=False)
