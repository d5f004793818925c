"""What an audit can find wrong with a feed's files, each finding with its file and block."""

from __future__ import annotations

from nodevms.feed import flat_tree
from nodevms.feed.errors import FeedFalseError, FeedUncheckedError
from nodevms.feed.heads import Head
from nodevms.feed.keys import SIGNATURE_BYTES
from nodevms.feed.merkle import HASH_BYTES, NO_NODE, NODE_BYTES, Growth, leaf_hash
from nodevms.feed.sleep import HEADER_BYTES, HEADERS, SECTOR_BYTES, FeedFiles, SleepFile


def check_headers(files: FeedFiles) -> None:
    """Check the headers of tree and signatures."""
    for file, name in ((files.tree, "tree"), (files.signatures, "signatures")):
        stored = file.read(0, HEADER_BYTES)
        if len(stored) < HEADER_BYTES:
            raise missing(file, "the header", None)
        if stored != HEADERS[name]:
            raise FeedFalseError(
                f"{file.path} does not begin as a feed's {name} file does.",
                file=file.path.name,
                code="feed-header",
            )


def check_nodes(files: FeedFiles, growth: Growth, stored: bytes, stored_first: int) -> None:
    """Compare the computed nodes with the stored ones, those of this part at hand in memory."""
    at = NODE_BYTES * (growth.first - stored_first)
    if stored[at : at + NODE_BYTES * len(growth.nodes)] == b"".join(growth.nodes):
        nodes = growth.earlier
    else:
        # Leaves first: a changed block makes every node above it wrong as well.
        numbered = list(enumerate(growth.nodes, growth.first))
        nodes = [*numbered[::2], *numbered[1::2], *growth.earlier]
    for index, node in nodes:
        at = NODE_BYTES * (index - stored_first)
        found = stored[at : at + NODE_BYTES] if at >= 0 else files.node_bytes(index)
        if node not in (found, NO_NODE):
            raise _wrong_node(files, index, found)


def _wrong_node(files: FeedFiles, index: int, found: bytes) -> FeedFalseError | FeedUncheckedError:
    """Return the error for a stored node that is not the computed one."""
    first, end = flat_tree.span(index)
    if len(found) < NODE_BYTES or found == NO_NODE:
        return missing(files.tree, f"node {index}", first)
    if end - first == 1:
        return FeedFalseError(
            f"Block {first} in {files.data.path} does not have the hash that the tree holds.",
            file=files.data.path.name,
            block=first,
            code="feed-block",
        )
    return FeedFalseError(
        f"Node {index} in {files.tree.path} is not the hash of blocks {first} to {end - 1}.",
        file=files.tree.path.name,
        block=first,
        code="feed-tree",
    )


def check_last_leaf(
    files: FeedFiles, block: int, leaf: bytes, offset: int, block_bytes_max: int
) -> None:
    """Refuse a last leaf whose size is not that of its block, although its hash is.

    The size of a root cannot be told from the other roots. If the rest of the data has the hash
    that the leaf holds, nothing is missing, and it is the size that was changed.
    """
    size = files.data.size() - offset
    if not 0 <= size <= block_bytes_max:
        return
    rest = files.data.read(offset, size)
    if leaf_hash(rest) == leaf[:HASH_BYTES]:
        raise FeedFalseError(
            f"The size of block {block} in {files.tree.path} is not that of the block.",
            file=files.tree.path.name,
            block=block,
            code="feed-tree",
        )


def check_ends(files: FeedFiles, head: Head) -> None:
    """Refuse bytes that follow what was signed, or stand where no node belongs yet."""
    for index in flat_tree.unfinished(head.length):
        stored = files.node_bytes(index)
        if stored != NO_NODE:
            first, end = flat_tree.span(index)
            crash = _crash_may_leave(files, index, stored, head)
            raise FeedFalseError(
                f"{files.tree.path} has something in the place of node {index}, over blocks "
                f"{first} to {end - 1}, of which only {head.length - first} were signed.",
                file=files.tree.path.name,
                block=head.length,
                code="feed-unsigned" if crash else "feed-tree",
            )
    for file, end in (
        (files.data, head.byte_length),
        (files.tree, HEADER_BYTES + NODE_BYTES * max(2 * head.length - 1, 0)),
        (files.signatures, HEADER_BYTES + SIGNATURE_BYTES * head.length),
    ):
        if file.size() > end:
            raise FeedFalseError(
                f"{file.path} goes on after the {head.length} blocks that were signed.",
                file=file.path.name,
                block=head.length,
                code="feed-unsigned",
            )


def _crash_may_leave(files: FeedFiles, index: int, stored: bytes, head: Head) -> bool:
    """Tell whether a writer whose batch was torn can have left these bytes of a later node.

    A whole node has a hash, in which eight zeros in a row do not occur, and more bytes than the
    signed blocks under it. Part of one is only left where a sector of the disk ends inside it.
    """
    place = HEADER_BYTES + NODE_BYTES * index
    if place // SECTOR_BYTES != (place + NODE_BYTES - 1) // SECTOR_BYTES:
        return True
    words = [stored[at : at + 8] for at in range(0, HASH_BYTES, 8)]
    first = flat_tree.span(index)[0]
    signed = sum(root.size for root in head.roots if flat_tree.span(root.index)[0] >= first)
    return bytes(8) not in words and int.from_bytes(stored[HASH_BYTES:], "big") >= signed


def missing(file: SleepFile, what: str, block: int | None) -> FeedUncheckedError:
    """Return the error for bytes that are not there."""
    of_block = "" if block is None else f" of block {block}"
    return FeedUncheckedError(
        f"{file.path} lacks {what}{of_block}.",
        file=file.path.name,
        block=block,
        code="feed-missing",
    )
