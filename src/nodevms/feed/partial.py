"""A feed with holes: what we have of a feed that somebody else signs.

The files are those of hypercore 6, which opens, reads and serves them too. Every block is proved
to belong to the feed before a byte of it is stored (:mod:`nodevms.feed.trusted_path`).

What is stored is *there* at once, and safe after :meth:`PartialFeed.flush`: it syncs data, tree and
signatures, and only then writes and syncs the bits that say so. A crash loses at most what was not
flushed. All methods may be called from any thread; a flush keeps nobody from reading or putting.

Spec: DEP-0002 (hypercore).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from nodevms.errors import StorageError
from nodevms.feed.bitfield import PAGE_BYTES
from nodevms.feed.errors import FeedUnprovedError
from nodevms.feed.files import OSFiles
from nodevms.feed.heads import Head
from nodevms.feed.holes import HoledBitfield
from nodevms.feed.keys import SIGNATURE_BYTES
from nodevms.feed.mending import mend
from nodevms.feed.merkle import NODE_BYTES, Node
from nodevms.feed.opening import create_files, open_foreign
from nodevms.feed.partial_reader import PartialReader
from nodevms.feed.sleep import HEADER_BYTES
from nodevms.feed.trusted_path import Reply, compare, judge

if TYPE_CHECKING:
    from nodevms.feed.files import FileSystem
    from nodevms.feed.sleep import FeedFiles

LENGTH_MAX = 2**28
"""The most blocks of a feed that is followed: its bitfield then spans 112 MiB."""
BYTE_LENGTH_MAX = 2**43
_BLOCK_COST = 256


class _ClosedError(Exception):
    """Stands in for what failed when nothing did."""


class PartialFeed(PartialReader):
    """What we have of a feed, opened for putting more into it. The caller holds a lock on it.

    Made by :meth:`create` and :meth:`open`; a context manager that closes it.
    """

    def __init__(self, files: FeedFiles, key: bytes) -> None:
        """Use :meth:`create` or :meth:`open` instead."""
        if files.bitfield is None:
            raise TypeError("a feed with holes is opened for writing")
        bits = HoledBitfield(files.bitfield)
        super().__init__(files, key, bits, mend(files, bits, files.bitfield, key))
        self._file = files.bitfield
        self._flushing = Lock()
        self._poisoned: BaseException | None = None
        self._grown: list[Callable[[], None]] = []
        self.unflushed_bytes = 0
        """Bytes put since the last flush began, 256 added for each block."""

    @classmethod
    def create(
        cls, directory: Path, prefix: str, key: bytes, *, files: FileSystem | None = None
    ) -> PartialFeed:
        """Make the files of a feed of which nothing is there yet, synced, and open it.

        Args:
            directory: Where the files go; made private to the user if it is not there.
            prefix: What their names begin with, for example ``metadata.``.
            key: The feed's public key, 32 bytes.
            files: The file system; that of the operating system by default.

        Raises:
            StorageError: A feed is there already (code ``feed-exists``), or the disk failed.
        """
        return cls(create_files(files or OSFiles(), directory, prefix, key), key)

    @classmethod
    def open(
        cls, directory: Path, prefix: str, key: bytes, *, files: FileSystem | None = None
    ) -> PartialFeed:
        """Open a feed and mend what a crash left of its bits.

        Args:
            directory: Where the files are.
            prefix: What their names begin with.
            key: The feed's public key, 32 bytes.
            files: The file system; that of the operating system by default.

        Raises:
            StorageError: There is none (code ``feed-missing``), it has another key
                (``feed-other-key``), it cannot be read, or it is damaged (``feed-damaged``).
        """
        opened = open_foreign(files or OSFiles(), directory, prefix, key)
        try:
            return cls(opened, key)
        except BaseException:
            opened.close()
            raise

    def put(
        self, index: int, value: bytes | None, nodes: Iterable[Node], signature: bytes = b""
    ) -> None:
        """Check what a peer sent for a block, and store it if it belongs to the feed.

        Nothing is stored when it does not. Without a value only nodes and head are stored.

        Args:
            index: Number of the block.
            value: Its bytes, or None.
            nodes: As in the wire's ``Data``.
            signature: As in the wire's ``Data``, or empty.

        Raises:
            ForkError: The feed's key signed another history than the one that we hold.
            FeedUnprovedError: It leads to a head that cannot be compared with ours.
            FeedFalseError: It does not belong to the feed, or is not complete.
            StorageError: Writing failed. The feed refuses everything until it is opened again.
        """
        reply = Reply(index, value, tuple(nodes), signature)
        with self._lock:
            self._refuse_when_poisoned()
            verdict = judge(self._key, self._head, self, reply)
            head = verdict.head
            if head and (head.length > LENGTH_MAX or head.byte_length > BYTE_LENGTH_MAX):
                raise FeedUnprovedError(
                    f"The feed says that it has {head.length} blocks of together "
                    f"{head.byte_length} bytes, more than we follow.",
                    length=head.length,
                    code="feed-too-long",
                )
            try:
                self._store(reply, verdict.nodes, head)
            except BaseException as error:
                self._poisoned = error
                raise

    def compare(self, index: int, nodes: Iterable[Node], signature: bytes) -> Head:
        """Compare a peer's head with ours, by the full proof of its block without the block.

        Nothing is stored.

        Args:
            index: Number of the block. To see any fork it is that of ours that comes next when the
                peer has more than we, else the peer's last.
            nodes: The block's own node, then those of its full proof.
            signature: The 64 bytes that cover the roots.

        Returns:
            The peer's head: signed, and not known to contradict ours.

        Raises:
            ForkError: It contradicts ours.
            FeedFalseError: The proof is wrong or not complete.
        """
        with self._lock:
            reply = Reply(index, None, tuple(nodes), signature)
            return compare(self._key, self._head, self, reply)

    def flush(self) -> None:
        """Put everything that is there on the disk. Calls those who follow the feed's growth.

        Raises:
            StorageError: Syncing failed. The feed refuses everything until it is opened again.
        """
        with self._flushing:
            with self._lock:
                self._refuse_when_poisoned()
                pages, head = self._bits.take_changed(), self._head
                self.unflushed_bytes = 0
            try:
                if pages or head is not self._flushed_head:
                    self._sync(pages)
            except BaseException as error:
                self._poisoned = error
                raise
            with self._lock:
                self._bits.written()
                self._flushed_head = head
        if pages:
            for callback in tuple(self._grown):
                callback()

    def forget(self, start: int, end: int) -> None:
        """Take blocks for missing from now on, as after their bytes were given up.

        Their nodes stay. The bits are cleared on the disk by the next flush.

        Args:
            start: The first block.
            end: One past the last; what lies after the feed is left out.
        """
        with self._lock:
            end = min(end, self._head.length)
            at = start
            for run in (*self._bits.missing(start, end), (end, end)):
                for index in range(at, run[0]):
                    self._bits.set_block(index, there=False)
                at = run[1]

    def on_growth(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back, from the flushing thread, whenever a flush put more on the disk.

        Returns:
            A function that ends it.
        """
        self._grown.append(callback)

        def unsubscribe() -> None:
            if callback in self._grown:
                self._grown.remove(callback)

        return unsubscribe

    def close(self) -> None:
        """Close the files, after a flush that has begun. What is not flushed is lost."""
        self._poisoned = _ClosedError()
        with self._flushing, self._lock:
            self._files.close()

    def __enter__(self) -> PartialFeed:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _store(self, reply: Reply, nodes: tuple[Node, ...], head: Head | None) -> None:
        self._remember(nodes)
        if head is not None:
            self._files.signatures.write(
                HEADER_BYTES + SIGNATURE_BYTES * (head.length - 1), head.signature
            )
            self._head = head
        ordered = sorted(nodes, key=lambda node: node.index)
        for first, stored in _runs(ordered):
            self._files.tree.write(HEADER_BYTES + NODE_BYTES * first, stored)
        for node in ordered:
            self._bits.set_node(node.index)
        if reply.value is not None:
            offset = self.byte_offset(reply.index)
            if reply.value:
                self._files.data.write(offset, reply.value)
            self._bits.set_block(reply.index)
            self.unflushed_bytes += len(reply.value) + _BLOCK_COST
            self._next = (reply.index + 1, offset + len(reply.value))

    def _sync(self, pages: dict[int, bytes]) -> None:
        for file in (self._files.data, self._files.tree, self._files.signatures):
            file.sync()
        for number, page in pages.items():
            self._file.write(HEADER_BYTES + PAGE_BYTES * number, page)
        self._file.sync()

    def _refuse_when_poisoned(self) -> None:
        if isinstance(self._poisoned, _ClosedError):
            raise StorageError("The feed is closed.", code="feed-closed")
        if self._poisoned is not None:
            raise StorageError(
                f"A write to the feed failed: {self._poisoned}",
                code="feed-closed",
                hint="What was stored before is kept; open it again to go on.",
            ) from self._poisoned


def _runs(ordered: list[Node]) -> Iterator[tuple[int, bytes]]:
    """Yield (index of the first, stored bytes) of each run of neighbouring nodes."""
    start = 0
    for at in range(1, len(ordered) + 1):
        if at == len(ordered) or ordered[at].index != ordered[at - 1].index + 1:
            yield ordered[start].index, b"".join(node.stored() for node in ordered[start:at])
            start = at
