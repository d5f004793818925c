"""A bitfield for the files of a feed that came without one, as a fetch over HTTP leaves them.

Such a fetch brings a tree whole and the data from the front, and may have been broken off. What is
said to be there is what was read and hashed: the whole tree or its roots alone, and the blocks that
are what their leaves say.
"""

from __future__ import annotations

import os
from pathlib import Path

from nodevms.feed import flat_tree
from nodevms.feed.bitfield import pages
from nodevms.feed.errors import FeedFalseError
from nodevms.feed.feed import BLOCK_BYTES_MAX
from nodevms.feed.files import FileSystem, OSFiles
from nodevms.feed.heads import EMPTY_HEAD, Head
from nodevms.feed.holes import HoledBitfield
from nodevms.feed.merkle import Node, leaf_hash, parent_node
from nodevms.feed.opening import open_files
from nodevms.feed.recovery import signed_heads
from nodevms.feed.sleep import HEADER_BYTES, HEADERS, FeedFiles, SleepFile, feed_path


def adopt(directory: Path, prefix: str, *, files: FileSystem | None = None) -> None:
    """Write the bitfield of a feed's files, so that it can be opened as a feed with holes.

    The longest signed head is kept, whatever of its blocks is there.

    Args:
        directory: Where the files are.
        prefix: What their names begin with.
        files: The file system; that of the operating system by default.

    Raises:
        StorageError: They cannot be read or written, or begin as no feed's files do.
    """
    file_system = files or OSFiles()
    feed_files, key, _ = open_files(file_system, directory, prefix, writable=False)
    try:
        head = next(signed_heads(feed_files, key), EMPTY_HEAD)
        whole = _is_whole_tree(feed_files, head)
        blocks = _good_blocks(feed_files, head) if whole else 0
    finally:
        feed_files.close()
    path = feed_path(directory, prefix, "bitfield")
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    file = SleepFile(file_system, fresh, writable=True, create=True)
    try:
        file.write(0, HEADERS["bitfield"])
        _write_bits(file, head, whole, blocks)
        file.sync()
    finally:
        file.close()
    os.replace(fresh, path)


def _write_bits(file: SleepFile, head: Head, whole: bool, blocks: int) -> None:
    offset = HEADER_BYTES
    if whole and blocks == head.length:
        for page in pages(head.length):
            file.write(offset, page)
            offset += len(page)
        return
    bits = HoledBitfield(file)
    unfinished = set(flat_tree.unfinished(head.length))
    nodes = range(max(0, 2 * head.length - 1)) if whole else [root.index for root in head.roots]
    for node in nodes:
        if node not in unfinished:
            bits.set_node(node)
    for block in range(blocks):
        bits.set_block(block)
    for number, page in bits.take_changed().items():
        file.write(HEADER_BYTES + len(page) * number, page)


def _is_whole_tree(files: FeedFiles, head: Head) -> bool:
    """Tell whether each node under the head is there and is what the nodes below it make it."""
    below: list[Node] = []
    for index in range(0, 2 * head.length, 2):
        node = files.node(index)
        while node is not None:
            below.append(node)
            if len(below) < 2 or flat_tree.sibling(node.index) != below[-2].index:
                break
            right, left = below.pop(), below.pop()
            try:
                parent = parent_node(left, right)
            except FeedFalseError:
                return False
            node = parent if files.node(parent.index) == parent else None
        if node is None:
            return False
    return tuple(below) == head.roots


def _good_blocks(files: FeedFiles, head: Head) -> int:
    """Return how many blocks from the front are what their leaves say."""
    offset, data_bytes = 0, files.data.size()
    for block in range(head.length):
        leaf = files.node(2 * block)
        if leaf is None or leaf.size > BLOCK_BYTES_MAX or offset + leaf.size > data_bytes:
            return block
        if leaf_hash(files.data.read(offset, leaf.size)) != leaf.hash:
            return block
        offset += leaf.size
    return head.length
