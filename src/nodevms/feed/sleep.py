"""The six SLEEP files of a feed on disk: names, headers, places of nodes and signatures.

Knows where things stand and nothing of what they mean. Sizes and contents of the files are not
trusted here: whoever reads them checks what comes back.

Spec: DEP-0002 (hypercore), section "SLEEP files".
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nodevms.errors import UsageError
from nodevms.feed import bitfield
from nodevms.feed.errors import FeedIOError
from nodevms.feed.keys import SIGNATURE_BYTES
from nodevms.feed.merkle import NO_NODE, NODE_BYTES, Growth, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodevms.feed.files import FileSystem, RandomAccessFile

HEADER_BYTES = 32
SECTOR_BYTES = 512
"""The least that a disk writes whole: what a power cut tears, it tears between two of these."""
_SCAN_SLOTS = 1024
_OFFSET_MAX = 2**63 - 1


def header(kind: int, entry_bytes: int, name: bytes = b"") -> bytes:
    """Return the 32-byte header of a SLEEP file."""
    fixed = bytes((5, 2, 0x57, kind, 0)) + entry_bytes.to_bytes(2, "big")
    return (fixed + bytes([len(name)]) + name).ljust(HEADER_BYTES, b"\x00")


HEADERS = {
    "bitfield": header(0, bitfield.PAGE_BYTES),
    "signatures": header(1, SIGNATURE_BYTES, b"Ed25519"),
    "tree": header(2, NODE_BYTES, b"BLAKE2b"),
}


def feed_path(directory: Path, prefix: str, name: str) -> Path:
    """Return the path of one file of a feed.

    Raises:
        UsageError: The prefix would lead out of the directory.
    """
    if "/" in prefix or "\x00" in prefix:
        raise UsageError(f"{prefix!r} is no prefix for file names.", code="bad-prefix")
    return directory / (prefix + name)


def io_error(action: str, path: Path, error: OSError) -> FeedIOError:
    """Return the error that says what could not be done with a file, and why."""
    return FeedIOError(f"Could not {action} {path}: {error.strerror or error}.", path)


@contextmanager
def io_errors(action: str, path: Path) -> Iterator[None]:
    """Raise an OSError of the block as a FeedIOError."""
    try:
        yield
    except OSError as error:
        raise io_error(action, path, error) from error


class SleepFile:
    """One open file of a feed. Raises FeedIOError where the system raises OSError."""

    __slots__ = ("_file", "path")

    def __init__(self, files: FileSystem, path: Path, *, writable: bool, create: bool) -> None:
        self.path = path
        mode = 0o600 if path.name.endswith("secret_key") else 0o644
        with io_errors("open", path):
            self._file: RandomAccessFile = files.open(
                path, create=create, writable=writable, mode=mode
            )

    def read(self, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``; none from where no file reaches."""
        if offset > _OFFSET_MAX:
            return b""
        try:
            return self._file.read_at(offset, size)
        except OSError as error:
            raise io_error("read", self.path, error) from error

    def write(self, offset: int, data: bytes) -> None:
        """Write all the bytes."""
        try:
            self._file.write_at(offset, data)
        except OSError as error:
            raise io_error("write", self.path, error) from error

    def size(self) -> int:
        """Return the file's size in bytes."""
        with io_errors("read", self.path):
            return self._file.size()

    def cut(self, size: int) -> None:
        """Cut off what lies after ``size`` bytes, if anything does."""
        with io_errors("cut", self.path):
            if self._file.size() > size:
                self._file.truncate(size)

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        with io_errors("sync", self.path):
            self._file.sync()

    def close(self) -> None:
        """Close the file."""
        with io_errors("close", self.path):
            self._file.close()


class FeedFiles:
    """The data, tree and signatures of a feed, and for a writer its bitfield.

    Attributes:
        data: The blocks end to end.
        tree: 40 bytes a node.
        signatures: 64 bytes a block, zero but at the last block of each batch.
    """

    def __init__(
        self,
        files: FileSystem,
        directory: Path,
        prefix: str,
        *,
        writable: bool = False,
        create: bool = False,
    ) -> None:
        self._open: list[SleepFile] = []

        def opened(name: str) -> SleepFile:
            path = feed_path(directory, prefix, name)
            file = SleepFile(files, path, writable=writable, create=create)
            self._open.append(file)
            return file

        try:
            self.data = opened("data")
            self.tree = opened("tree")
            self.bitfield = opened("bitfield") if writable else None
            self.signatures = opened("signatures")
        except BaseException:
            self.close()
            raise

    def node_bytes(self, index: int, count: int = 1) -> bytes:
        """Return the stored bytes of ``count`` nodes from ``index``, fewer where the file ends."""
        return self.tree.read(HEADER_BYTES + NODE_BYTES * index, NODE_BYTES * count)

    def node(self, index: int) -> Node | None:
        """Return a stored node, or None where there is none (or all its bytes are zero)."""
        stored = self.node_bytes(index)
        if len(stored) < NODE_BYTES or stored == NO_NODE:
            return None
        return Node.from_stored(index, stored)

    def leaf_sizes(self, first: int, count: int) -> list[int]:
        """Return the stored sizes of up to ``count`` blocks from ``first``; zero where none is."""
        stored = self.node_bytes(2 * first, 2 * count - 1)
        return [
            int.from_bytes(stored[at + 32 : at + NODE_BYTES], "big")
            for at in range(0, len(stored) - NODE_BYTES + 1, 2 * NODE_BYTES)
        ]

    def signature(self, block: int) -> bytes:
        """Return the signature stored at a block, or empty bytes where there is none."""
        stored = self.signatures.read(HEADER_BYTES + SIGNATURE_BYTES * block, SIGNATURE_BYTES)
        return stored if stored.strip(b"\x00") else b""

    def signed_length(self, below: int | None = None) -> int:
        """Return the greatest signed length (below a given one), 0 if nothing is signed.

        A slot counts when any of its bytes is set, a broken one included.
        """
        slots = -(-(self.signatures.size() - HEADER_BYTES) // SIGNATURE_BYTES)
        if below is not None:
            slots = min(slots, below - 1)
        while slots > 0:
            first = max(0, slots - _SCAN_SLOTS)
            size = (slots - first) * SIGNATURE_BYTES
            stored = self.signatures.read(HEADER_BYTES + SIGNATURE_BYTES * first, size)
            used = len(stored.rstrip(b"\x00"))
            if used:
                return first + -(-used // SIGNATURE_BYTES)
            slots = first
        return 0

    def write_batch(
        self, byte_offset: int, blocks: Sequence[bytes], growth: Growth, signature: bytes
    ) -> None:
        """Write a batch: data, tree and bitfield first, then the signature that vouches for it.

        An empty signature is not written (in the middle of a batch that comes in parts). Nor is a
        node that a later batch will complete: so but for the bitfield no place is ever written with
        two values, and writing an older batch once more takes nothing from a later one.
        """
        data = b"".join(blocks)
        if data:
            self.data.write(byte_offset, data)
        first, nodes = growth.first, growth.nodes
        for index, stored in growth.earlier:
            if index == growth.first - 1:
                first, nodes = index, [stored, *nodes]
            else:
                self.tree.write(HEADER_BYTES + NODE_BYTES * index, stored)
        for index, run in _complete(first, nodes):
            self.tree.write(HEADER_BYTES + NODE_BYTES * index, run)
        start, end = growth.first // 2, growth.first // 2 + len(blocks)
        if self.bitfield is not None:
            for offset, changed in bitfield.changes(start, end):
                self.bitfield.write(HEADER_BYTES + offset, changed)
        if signature:
            self.signatures.write(HEADER_BYTES + SIGNATURE_BYTES * (end - 1), signature)

    def sync(self) -> None:
        """Sync every file, the signatures last."""
        for file in self._open:
            file.sync()

    def close(self) -> None:
        """Close every file."""
        while self._open:
            self._open.pop().close()


def _complete(first: int, nodes: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield (index, bytes) of each run of nodes between those that are not complete."""
    at = 0
    while True:
        try:
            end = nodes.index(NO_NODE, at)
        except ValueError:
            yield first + at, b"".join(nodes[at:])
            return
        if end > at:
            yield first + at, b"".join(nodes[at:end])
        at = end + 1
