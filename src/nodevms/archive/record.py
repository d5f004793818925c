"""What the state knows of a path, and what one call did to it.

A `Value` is what the tree commits to. A `Record` adds where the host keeps the content, which is
the host's statement and not part of any hash. A `Change` is one item of a log entry's ``changes``.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Literal

from nodevms.archive.errors import ProofError

Kind = Literal["file", "folder"]
ChangeKind = Literal["file", "folder", "deleted"]

BLOCK_BYTES_MAX = 65_536
ZERO_HASH = bytes(32)
NUMBER_MAX = 2**53 - 1
VALUE_BYTES = 49

_KIND_BYTES: dict[Kind, int] = {"file": 0, "folder": 1}
_KINDS: tuple[Kind, Kind] = ("file", "folder")
_VALUE = struct.Struct(">BQ32sQ")


def block_count(size: int) -> int:
    """Return how many content blocks a file of this many bytes has."""
    return (size + BLOCK_BYTES_MAX - 1) // BLOCK_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Value:
    """What a path has, as the state root commits to it.

    Attributes:
        kind: ``file`` or ``folder``.
        size: Content bytes; 0 for a folder.
        sha256: SHA-256 of the content; 32 zero bytes for a folder.
        mtime_ms: Time of the entry that made the change, in ms since 1970.
    """

    kind: Kind
    size: int
    sha256: bytes
    mtime_ms: int

    def encode(self) -> bytes:
        """Return the 49 bytes that are hashed: u8 kind, u64be size, SHA-256, u64be mtime ms."""
        return encode_value(self.kind, self.size, self.sha256, self.mtime_ms)

    @staticmethod
    def decode(data: bytes) -> Value:
        """Read the 49 bytes back.

        Raises:
            ProofError: Wrong length or kind, a number above 2**53 - 1, or a folder with content.
        """
        if len(data) != VALUE_BYTES or data[0] > 1:
            raise ProofError("a value in a state proof is malformed")
        kind, size, sha256, mtime_ms = _VALUE.unpack(data)
        if size > NUMBER_MAX or mtime_ms > NUMBER_MAX:
            raise ProofError("a number in a state proof is too large")
        if kind == 1 and (size or sha256 != ZERO_HASH):
            raise ProofError("a folder in a state proof has content")
        return Value(_KINDS[kind], size, sha256, mtime_ms)


@dataclass(frozen=True, slots=True)
class Record:
    """What a path has, and where its content is.

    Attributes:
        kind: ``file`` or ``folder``.
        size: Content bytes; 0 for a folder.
        sha256: SHA-256 of the content; 32 zero bytes for a folder.
        mtime_ms: Time of the entry that made the change, in ms since 1970.
        block: Index of the first content block.
        blocks: Number of content blocks.
    """

    kind: Kind
    size: int
    sha256: bytes
    mtime_ms: int
    block: int
    blocks: int

    @property
    def value(self) -> Value:
        """What the state root commits to."""
        return Value(self.kind, self.size, self.sha256, self.mtime_ms)


@dataclass(frozen=True, slots=True)
class Totals:
    """What all files and folders that are there are together.

    Attributes:
        bytes: Sum of the files' sizes; a content that two paths have counts twice.
        paths: Number of files and folders, the root not among them.
    """

    bytes: int = 0
    paths: int = 0

    def after(self, old: Record | None, new: Record | None) -> Totals:
        """Return the totals when one path has something else than before."""
        return Totals(
            self.bytes + _size(new) - _size(old),
            self.paths + (new is not None) - (old is not None),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """The net effect of one call on one path.

    Attributes:
        path: Canonical path, never the root.
        kind: What is there afterwards; ``deleted`` when nothing is.
        size: Content bytes of a file, else 0.
        sha256: SHA-256 of a file's content, else 32 zero bytes.
        block: Index of a file's first content block, else 0.
    """

    path: str
    kind: ChangeKind
    size: int = 0
    sha256: bytes = ZERO_HASH
    block: int = 0

    def record(self, time_ms: int) -> Record | None:
        """Return what the path has after the change, made at this time; None when deleted."""
        if self.kind == "deleted":
            return None
        return Record(
            self.kind, self.size, self.sha256, time_ms, self.block, block_count(self.size)
        )


@dataclass(frozen=True, slots=True)
class PendingChange:
    """What a call does to one path, before its content has a place.

    Attributes:
        path: Canonical path.
        kind: What is there afterwards.
        size: Content bytes of a file, else 0.
        sha256: SHA-256 of a file's content, else 32 zero bytes.
        data: The content, if the call wrote it; None for a file that was moved or copied from
            the state, for folders and for deletions.
    """

    path: str
    kind: ChangeKind
    size: int
    sha256: bytes
    data: bytes | None


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One change of the past.

    Attributes:
        version: The filesVersion that it made, from 1.
        seq: Index of the log entry that made it.
        path: Canonical path.
        record: What was there afterwards; None when it was deleted.
    """

    version: int
    seq: int
    path: str
    record: Record | None


def _size(record: Record | None) -> int:
    return 0 if record is None else record.size


def encode_value(kind: Kind, size: int, sha256: bytes, mtime_ms: int) -> bytes:
    """Return the 49 hashed bytes of a value; see `Value.encode`."""
    return _VALUE.pack(_KIND_BYTES[kind], size, sha256, mtime_ms)


def path_key(path: str) -> bytes:
    """Return the path's 32-byte key in the tree: SHA-256 of its UTF-8 bytes."""
    return hashlib.sha256(path.encode()).digest()
