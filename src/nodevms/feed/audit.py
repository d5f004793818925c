"""Checks a whole feed from its files: every block, every stored node, every signature.

For files that came from somebody else: any of them may be cut, garbage, or claim petabytes. Only
what the key signed is trusted. Memory is bounded by one part (1 MiB or one block of the largest
allowed size); time grows with the bytes that are there, never with the sizes that they claim.

The tree is computed afresh from the blocks, so a signature that holds proves every block before
it. The stored nodes are compared as well, because proofs are made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nodevms.errors import UsageError
from nodevms.feed.errors import FeedFalseError, FeedIOError, FeedUncheckedError
from nodevms.feed.feed import BLOCK_BYTES_MAX
from nodevms.feed.files import OSFiles
from nodevms.feed.findings import (
    check_ends,
    check_headers,
    check_last_leaf,
    check_nodes,
    missing,
)
from nodevms.feed.heads import EMPTY_HEAD, Head
from nodevms.feed.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify_signature
from nodevms.feed.merkle import (
    HASH_BYTES,
    NO_NODE,
    NODE_BYTES,
    MerkleBuilder,
    root_hash,
)
from nodevms.feed.recovery import read_roots
from nodevms.feed.sleep import HEADER_BYTES, FeedFiles

if TYPE_CHECKING:
    from nodevms.feed.files import FileSystem

_PART_BLOCKS = 1024
_PART_BYTES = 1 << 20


def audit_feed(
    directory: Path,
    prefix: str,
    key: bytes,
    on_block: Callable[[int, bytes], None] | None = None,
    *,
    length: int | None = None,
    exact: bool = True,
    block_bytes_max: int = BLOCK_BYTES_MAX,
    files: FileSystem | None = None,
) -> Head:
    """Check a feed's data, tree and signatures files against its key.

    Guarantees, when it returns, that the key signed exactly these blocks, that the tree file holds
    the right node wherever one belongs, and that every signature in the file is valid. Whatever
    single byte of the three files is changed, the audit finds it, unless ``exact`` is False and
    nothing signed stands there.

    Args:
        directory: Where the files are. Key files and bitfield are not looked at.
        prefix: What their names begin with.
        key: The public key that the reader expects, 32 bytes.
        on_block: Called with index and bytes of each block in order, when the block agrees with
            its leaf. The signature over it may stand further on: believe nothing before the
            return.
        length: How many blocks to check; a batch must end there. By default all that are signed.
        exact: Bytes after the checked length, and in places of the tree that no node belongs to
            yet, are proved false (nobody signed them). A directory that a crash left with a torn
            batch has such bytes; False passes them over.
        block_bytes_max: A longer block is not checked.
        files: The file system; that of the operating system by default.

    Returns:
        The head at the checked length.

    Raises:
        FeedFalseError: Bytes contradict each other or the key; names file and block.
        FeedUncheckedError: Bytes are missing, unreadable or above a ceiling; names file and block.
        UsageError: The key or the length can be none.
    """
    if len(key) != PUBLIC_KEY_BYTES:
        raise UsageError(f"A feed's key has 32 bytes, not {len(key)}.", code="bad-key")
    if length is not None and length < 0:
        raise UsageError(f"A feed cannot have {length} blocks.", code="bad-length")
    audit = _Audit(key, block_bytes_max)
    try:
        feed_files = FeedFiles(files or OSFiles(), directory, prefix)
        try:
            return audit.run(feed_files, length, on_block, exact=exact)
        finally:
            feed_files.close()
    except FeedIOError as error:
        raise FeedUncheckedError(
            str(error), file=error.path.name, block=audit.position, code="feed-missing"
        ) from error


class _Audit:
    """One pass over one feed. Reads files only through what FeedFiles offers."""

    def __init__(self, key: bytes, block_bytes_max: int) -> None:
        self._key = key
        self._block_bytes_max = block_bytes_max
        self._builder = MerkleBuilder()
        self._batch_start = 0
        self._signature = b""

    @property
    def position(self) -> int:
        """The block that is being checked."""
        return self._builder.length

    def run(
        self,
        files: FeedFiles,
        length: int | None,
        on_block: Callable[[int, bytes], None] | None,
        *,
        exact: bool,
    ) -> Head:
        """Check everything; see :func:`audit_feed`."""
        check_headers(files)
        if length is None:
            length = files.signed_length()
        byte_length = self._signed_byte_length(files, length)
        while self._builder.length < length:
            for first, blocks in self._check_part(files, length, byte_length):
                if on_block is not None:
                    for index, block in enumerate(blocks, first):
                        on_block(index, block)
        head = EMPTY_HEAD
        if length:
            if not self._signature:
                raise missing(files.signatures, "a signature", length - 1)
            roots = self._builder.roots()
            head = Head(length, self._builder.byte_length, roots, self._signature)
        if exact:
            check_ends(files, head)
        return head

    def _signed_byte_length(self, files: FeedFiles, length: int) -> int | None:
        """Return how many bytes the key signed, where the stored roots show it, else None.

        With it an absurd size in the tree is proved false; without it, it only cannot be checked.
        """
        roots = read_roots(files, length) if length else None
        if roots is None:
            return None
        if not verify_signature(self._key, root_hash(roots), files.signature(length - 1)):
            return None
        return sum(root.size for root in roots)

    def _check_part(
        self, files: FeedFiles, length: int, byte_length: int | None
    ) -> Iterator[tuple[int, list[bytes]]]:
        """Check a bounded run of blocks; yield (first index, blocks), split where batches end."""
        first = self._builder.length
        count = min(_PART_BLOCKS, length - first)
        stored = files.node_bytes(2 * first, 2 * count - 1)
        blocks = self._read_blocks(files, first, stored, byte_length)
        slots = files.signatures.read(
            HEADER_BYTES + SIGNATURE_BYTES * first, SIGNATURE_BYTES * len(blocks)
        )
        start = 0
        for end in range(1, len(blocks) + 1):
            signature = slots[SIGNATURE_BYTES * (end - 1) : SIGNATURE_BYTES * end]
            signed = bool(signature.strip(b"\x00"))
            if not signed and end < len(blocks):
                continue
            part = blocks[start:end]
            growth = self._builder.append(part)
            check_nodes(files, growth, stored, 2 * first)
            if signed:
                self._check_signature(files, signature)
            self._signature = signature if signed else b""
            yield first + start, part
            start = end

    def _read_blocks(
        self, files: FeedFiles, first: int, stored: bytes, byte_length: int | None
    ) -> list[bytes]:
        """Return the next blocks, as the stored leaves say: at least one, at most a part."""
        offset = self._builder.byte_length
        data_bytes = files.data.size()
        blocks: list[bytes] = []
        sizes: list[int] = []
        end = offset
        for at in range(0, len(stored) - NODE_BYTES + 1, 2 * NODE_BYTES):
            leaf = stored[at : at + NODE_BYTES]
            size = int.from_bytes(leaf[HASH_BYTES:], "big")
            if leaf == NO_NODE or (sizes and end + size > offset + _PART_BYTES):
                break
            block = first + len(sizes)
            if byte_length is not None and end + size > byte_length:
                raise FeedFalseError(
                    f"The size of block {block} in {files.tree.path} is more than was signed.",
                    file=files.tree.path.name,
                    block=block,
                    code="feed-tree",
                )
            if end + size > data_bytes:
                if sizes:
                    break
                if byte_length is None:
                    check_last_leaf(files, block, leaf, end, self._block_bytes_max)
                raise missing(files.data, "the bytes", block)
            if size > self._block_bytes_max:
                raise FeedUncheckedError(
                    f"Block {block} has {size} bytes, more than the {self._block_bytes_max} "
                    "that are checked.",
                    file=files.data.path.name,
                    block=block,
                    code="feed-block-too-large",
                )
            sizes.append(size)
            end += size
        if not sizes:
            raise missing(files.tree, "the leaf", first)
        data = files.data.read(offset, end - offset)
        if len(data) < end - offset:
            raise missing(files.data, "the bytes", first)
        at = 0
        for size in sizes:
            blocks.append(data[at : at + size])
            at += size
        return blocks

    def _check_signature(self, files: FeedFiles, signature: bytes) -> None:
        """Check the signature at the builder's present length."""
        last = self._builder.length - 1
        if len(signature) < SIGNATURE_BYTES:
            raise missing(files.signatures, "a part of the signature", last)
        if not verify_signature(self._key, self._builder.root_hash(), signature):
            raise FeedFalseError(
                f"The signature at block {last} in {files.signatures.path} is not one of the "
                f"feed's key over the blocks up to it (the batch began at {self._batch_start}).",
                file=files.signatures.path.name,
                block=last,
                code="feed-signature",
            )
        self._batch_start = last + 1
