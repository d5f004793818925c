"""What a feed's directory is worth after a crash: the longest prefix that is validly signed.

At most one batch of a feed is ever unsynced, and a batch's signature is written after the rest of
it. So everything up to the last signature but one was synced, and of the last batch any part may
be missing: files too short, or holes of zeros where a power cut kept sectors from being written.
Nothing but such a batch is ever cut. A batch that is wrong *without* a hole, or wrong before the
last, was damaged by something else, and cutting it would let its length be signed a second time:
that is refused.

The last batch that is kept is written again, because after a failed sync the system may hold it in
memory and believe that it is on the disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nodevms.feed import bitfield, flat_tree
from nodevms.feed.errors import FeedDamagedError
from nodevms.feed.heads import EMPTY_HEAD, Head
from nodevms.feed.keys import SIGNATURE_BYTES, verify_signature
from nodevms.feed.merkle import NO_NODE, NODE_BYTES, Growth, MerkleBuilder, Node, root_hash
from nodevms.feed.sleep import HEADER_BYTES, HEADERS, SECTOR_BYTES, FeedFiles, SleepFile

CUT_BLOCKS_MAX = 65_536
"""The longest batch: nothing longer is appended, and nothing longer is ever cut."""

_CHUNK_BYTES = 1 << 20
_CHUNK_BLOCKS = 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of blocks that one signature closes.

    Attributes:
        start: First block.
        end: One past the last block.
        byte_start: Where its first byte stands in the data file.
        head: The head at its end; None when its bytes do not lead to its signature.
        intact: The stored tree holds each of its nodes.
    """

    start: int
    end: int
    byte_start: int
    head: Head | None
    intact: bool


def read_roots(files: FeedFiles, length: int) -> tuple[Node, ...] | None:
    """Return the stored roots of the first ``length`` blocks, None if one is missing."""
    roots = []
    for index in flat_tree.full_roots(length):
        node = files.node(index)
        if node is None:
            return None
        roots.append(node)
    return tuple(roots)


def signed_heads(files: FeedFiles, key: bytes) -> Iterator[Head]:
    """Yield the heads that are signed and whose roots are there, the longest first.

    Nothing else of the tree is looked at, and no data.
    """
    length = files.signed_length()
    while length:
        roots = read_roots(files, length)
        if roots is not None:
            byte_length = sum(root.size for root in roots)
            head = Head(length, byte_length, roots, files.signature(length - 1))
            if verify_signature(key, head.root_hash, head.signature):
                yield head
        length = files.signed_length(below=length)


def read_parts(
    files: FeedFiles, builder: MerkleBuilder, end: int
) -> Iterator[tuple[int, list[bytes], Growth]]:
    """Read blocks up to ``end`` and grow the builder by them, a bounded part at a time.

    Stops early where a size or a block is missing, so ``builder.length`` tells how far it got.

    Yields:
        (byte offset of the part, its blocks, the nodes that they complete).
    """
    data_bytes = files.data.size()
    while builder.length < end:
        count = min(_CHUNK_BLOCKS, end - builder.length)
        offset = builder.byte_length
        sizes: list[int] = []
        total = 0
        for size in files.leaf_sizes(builder.length, count):
            if offset + total + size > data_bytes or (sizes and total + size > _CHUNK_BYTES):
                break
            sizes.append(size)
            total += size
        data = files.data.read(offset, total)
        if not sizes or len(data) < total:
            return
        blocks, at = [], 0
        for size in sizes:
            blocks.append(data[at : at + size])
            at += size
        yield offset, blocks, builder.append(blocks)


def check_batch(files: FeedFiles, key: bytes, end: int) -> Batch:
    """Recompute the batch that ends at a signed length, from its data, and check its signature."""
    start = files.signed_length(below=end)
    roots = read_roots(files, start)
    if roots is None or sum(root.size for root in roots) > files.data.size():
        return Batch(start, end, 0, None, intact=False)
    builder = MerkleBuilder(start, roots)
    byte_start, intact = builder.byte_length, True
    for _, _, growth in read_parts(files, builder, end):
        intact = intact and _stored(files, growth)
    signature = files.signature(end - 1)
    if builder.length < end or not verify_signature(key, builder.root_hash(), signature):
        return Batch(start, end, byte_start, None, intact=False)
    head = Head(end, builder.byte_length, builder.roots(), signature)
    return Batch(start, end, byte_start, head, intact)


def longest_prefix(files: FeedFiles, key: bytes) -> Batch | None:
    """Return the last batch of the longest validly signed prefix, None for an empty one.

    For a writer, who has to know that whatever follows is nothing but one torn batch.

    Raises:
        FeedDamagedError: Something is wrong that no crash can explain.
    """
    end = files.signed_length()
    if not end:
        _check_tail(files, EMPTY_HEAD)
        return None
    last = check_batch(files, key, end)
    if last.head is not None:
        _check_tail(files, last.head)
        return last
    if files.tree.size() > HEADER_BYTES + NODE_BYTES * (2 * end - 1):
        raise FeedDamagedError(_sentence(files, last, "and a later batch was begun after it"))
    if end - last.start > CUT_BLOCKS_MAX or not _torn(files, key, last):
        raise FeedDamagedError(_sentence(files, last, "and no crash explains how"))
    if not last.start:
        return None
    before = check_batch(files, key, last.start)
    if before.head is None:
        raise FeedDamagedError(_sentence(files, before, "and it is not the last"))
    return before


def readable_prefix(files: FeedFiles, key: bytes) -> Head:
    """Return the head of the longest prefix that a reader can use as it stands.

    Raises:
        FeedDamagedError: Neither of the last two batches is whole.
    """
    end = files.signed_length()
    for _ in range(2):
        if not end:
            return EMPTY_HEAD
        batch = check_batch(files, key, end)
        if batch.head is not None and batch.intact:
            return batch.head
        end = batch.start
    if end:
        raise FeedDamagedError(_sentence(files, batch, "and so is the one after it"))
    return EMPTY_HEAD


def torn_after(files: FeedFiles, key: bytes) -> int | None:
    """Return the length before a last batch that a crash tore, None if no crash explains it.

    Nothing is said about the batches before.
    """
    end = files.signed_length()
    if not end:
        return None
    last = check_batch(files, key, end)
    if last.head is not None and last.intact:
        return None
    return last.start if _torn(files, key, last) else None


def repair(files: FeedFiles, kept: Batch | None) -> Head:
    """Cut everything after the kept batch, write that batch again, and sync.

    Afterwards the files are, byte for byte, those of a feed that never had more.
    """
    head = (kept and kept.head) or EMPTY_HEAD
    slots = SIGNATURE_BYTES * head.length
    files.signatures.cut(HEADER_BYTES + slots)
    files.tree.cut(HEADER_BYTES + NODE_BYTES * max(2 * head.length - 1, 0))
    files.data.cut(head.byte_length)
    for index in flat_tree.unfinished(head.length):
        if files.node_bytes(index) != NO_NODE:
            files.tree.write(HEADER_BYTES + NODE_BYTES * index, NO_NODE)
    if kept is not None:
        builder = MerkleBuilder(kept.start, read_roots(files, kept.start) or ())
        for offset, blocks, growth in read_parts(files, builder, kept.end):
            done = builder.length == kept.end
            files.write_batch(offset, blocks, growth, head.signature if done else b"")
    _repair_bitfield(files, head.length)
    files.sync()
    return head


def _repair_bitfield(files: FeedFiles, length: int) -> None:
    """Make the bitfield that of ``length`` blocks; writes only the pages that differ."""
    file = files.bitfield
    if file is None:
        return
    file.cut(HEADER_BYTES + bitfield.PAGE_BYTES * bitfield.page_count(length))
    if file.read(0, HEADER_BYTES) != HEADERS["bitfield"]:
        file.write(0, HEADERS["bitfield"])
    for number, page in enumerate(bitfield.pages(length)):
        offset = HEADER_BYTES + bitfield.PAGE_BYTES * number
        if file.read(offset, len(page)) != page:
            file.write(offset, page)


def _check_tail(files: FeedFiles, head: Head) -> None:
    """Refuse to cut more than one batch can have left behind its head."""
    nodes = (files.tree.size() - HEADER_BYTES) // NODE_BYTES
    if nodes > 2 * (head.length + CUT_BLOCKS_MAX):
        raise FeedDamagedError(
            f"{files.tree.path} goes on for longer than one batch after the last signature, "
            f"that of {head.length} blocks."
        )


def _stored(files: FeedFiles, growth: Growth) -> bool:
    """Tell whether the tree file holds all nodes that the growth computed."""
    stored = files.node_bytes(growth.first, len(growth.nodes))
    if len(stored) < NODE_BYTES * len(growth.nodes):
        return False
    return all(
        node == NO_NODE or stored[NODE_BYTES * at : NODE_BYTES * (at + 1)] == node
        for at, node in enumerate(growth.nodes)
    ) and all(files.node_bytes(index) == node for index, node in growth.earlier)


def _torn(files: FeedFiles, key: bytes, batch: Batch) -> bool:
    """Tell whether a part of the batch never reached the disk: a file too short, or a hole."""
    slot = HEADER_BYTES + SIGNATURE_BYTES * (batch.end - 1)
    if _has_hole(files.signatures, slot, slot + SIGNATURE_BYTES):
        return True
    tree_end = HEADER_BYTES + NODE_BYTES * (2 * batch.end - 1)
    if _has_hole(files.tree, HEADER_BYTES + NODE_BYTES * 2 * batch.start, tree_end):
        return True
    for index in flat_tree.full_roots(batch.end):
        place = HEADER_BYTES + NODE_BYTES * index
        if _has_hole(files.tree, place, place + NODE_BYTES):
            return True
    # Tree and signature are there. If they agree, they say how much data there should be; if they
    # do not, no data that are missing can be the reason.
    roots = read_roots(files, batch.end) or ()
    if not verify_signature(key, root_hash(roots), files.signature(batch.end - 1)):
        return False
    return _has_hole(files.data, batch.byte_start, sum(root.size for root in roots))


def _has_hole(file: SleepFile, start: int, end: int) -> bool:
    """Tell whether a sector's share of the range is missing or all zeros."""
    if file.size() < end:
        return True
    for offset in range(start - start % _CHUNK_BYTES, end, _CHUNK_BYTES):
        first = max(offset, start)
        data = file.read(first, min(offset + _CHUNK_BYTES, end) - first)
        at = 0
        while at < len(data):
            step = SECTOR_BYTES - (first + at) % SECTOR_BYTES
            if not data[at : at + step].strip(b"\x00"):
                return True
            at += step
    return False


def _sentence(files: FeedFiles, batch: Batch, why: str) -> str:
    return (
        f"The batch of blocks {batch.start} to {batch.end - 1} beside {files.data.path} is "
        f"damaged, {why}."
    )
