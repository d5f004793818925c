"""A content from somewhere to somewhere, a block at a time: for readers who cannot hold it whole.

What each piece is checked against: the feed's tree always, since that is how a feed reads a block;
and when the content is asked for from its first byte to its last, its SHA-256, before the last
piece is given. So whoever waits for the end has what the log says or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

from nodevms.archive.record import BLOCK_BYTES_MAX, Record
from nodevms.errors import LocalProtocolError, StorageError


def content_pieces(
    read_block: Callable[[int], bytes], record: Record, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """Yield a file's bytes from `start` to before `stop`, at most 65,536 at a time.

    Args:
        read_block: Gives a content block by its index, checked against the feed's tree.
        record: The file.
        start: The first byte wanted.
        stop: The byte to stop before; None for the end.

    Raises:
        StorageError: Fatal, code `content-damaged`: the store has other bytes; or the feed's own.
        LocalProtocolError: The range is not inside the file.
    """
    stop = record.size if stop is None else stop
    if not 0 <= start <= stop <= record.size:
        raise LocalProtocolError(f"bytes {start} to {stop} are not in a file of {record.size}")
    if start == stop:
        return
    digest = sha256() if (start, stop) == (0, record.size) else None
    for number in range(start // BLOCK_BYTES_MAX, -(-stop // BLOCK_BYTES_MAX)):
        offset = number * BLOCK_BYTES_MAX
        block = read_block(record.block + number)
        if len(block) != min(BLOCK_BYTES_MAX, record.size - offset):
            raise _damaged(record)
        if digest is not None:
            digest.update(block)
            if offset + len(block) == stop and digest.digest() != record.sha256:
                raise _damaged(record)
        yield block[max(start - offset, 0) : stop - offset]


def _damaged(record: Record) -> StorageError:
    return StorageError(
        f"the content at block {record.block} is not what was written",
        fatal=True,
        code="content-damaged",
    )
