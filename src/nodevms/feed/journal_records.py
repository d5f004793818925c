"""The bytes of a journal: one header sector, then records without gaps.

    header    magic (16 bytes), generation (16), check (16), zeros up to 512
    record    mark (8), length of the writes (u32be), check (16), the writes
    write     member (u8), offset (u64be), length (u32be), data

A check is BLAKE2b-128, keyed with the generation; so is the mark, over nothing. A record's check
also covers where it stands. So neither an older record nor bytes that a caller chose are taken for
a record: the generation is random and stays in the directory.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from nodevms.feed.errors import FeedDamagedError

SECTOR_BYTES: Final = 512
GENERATION_BYTES: Final = 16
_MAGIC: Final = b"nodevms journal1"
_CHECK_BYTES: Final = 16
_MARK_BYTES: Final = 8
_PREFIX: Final = struct.Struct(">8sI16s")
_WRITE: Final = struct.Struct(">BQI")


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes that were written to a member at an offset."""

    member: int
    offset: int
    data: bytes


def encode_header(generation: bytes) -> bytes:
    """Return the header sector."""
    return (_MAGIC + generation + _check(generation, 0, _MAGIC)).ljust(SECTOR_BYTES, b"\x00")


def read_generation(data: bytes, path: Path) -> bytes | None:
    """Return the generation of a journal; None when it was emptied or never begun.

    Raises:
        FeedDamagedError: The header is neither whole nor all zeros.
    """
    header = data[:SECTOR_BYTES]
    generation = header[len(_MAGIC) : len(_MAGIC) + GENERATION_BYTES]
    if len(header) == SECTOR_BYTES and header == encode_header(generation):
        return generation
    if header.strip(b"\x00"):
        raise FeedDamagedError(f"{path} does not begin as a journal does.")
    return None


def encode_record(generation: bytes, place: int, writes: Sequence[Write]) -> bytes:
    """Return the record of some writes, to stand at ``place``."""
    parts: list[bytes] = []
    for write in writes:
        parts += _WRITE.pack(write.member, write.offset, len(write.data)), write.data
    body = b"".join(parts)
    return _PREFIX.pack(_mark(generation), len(body), _check(generation, place, body)) + body


def read_records(data: bytes, members: int, path: Path) -> list[list[Write]]:
    """Return the records of a journal's bytes, in order.

    Args:
        data: The whole file.
        members: How many files a record can name.
        path: Names the journal in errors.

    Raises:
        FeedDamagedError: The header is damaged, or whole records follow one that is not.
    """
    generation = read_generation(data, path)
    if generation is None:
        return []
    records: list[list[Write]] = []
    place = SECTOR_BYTES
    while (body := _body(generation, data, place)) is not None:
        records.append(_writes(body, members, path))
        place += _PREFIX.size + len(body)
    mark = _mark(generation)
    while (place := data.find(mark, place + 1)) >= 0:
        if _body(generation, data, place) is not None:
            raise FeedDamagedError(f"A record of {path} is damaged, and it is not the last.")
    return records


def _body(generation: bytes, data: bytes, place: int) -> bytes | None:
    """Return what a whole record at this place holds, None if there is none."""
    start = place + _PREFIX.size
    if start > len(data):
        return None
    mark, length, check = _PREFIX.unpack_from(data, place)
    if mark != _mark(generation) or start + length > len(data):
        return None
    body = data[start : start + length]
    return body if _check(generation, place, body) == check else None


def _writes(body: bytes, members: int, path: Path) -> list[Write]:
    writes, at = [], 0
    while at < len(body):
        member, offset, length = _WRITE.unpack_from(body, at)
        at += _WRITE.size
        if member >= members:
            raise FeedDamagedError(f"A record of {path} names a file that this release lacks.")
        writes.append(Write(member, offset, body[at : at + length]))
        at += length
    return writes


def _check(generation: bytes, place: int, data: bytes) -> bytes:
    check = blake2b(place.to_bytes(8, "big"), digest_size=_CHECK_BYTES, key=generation)
    check.update(data)
    return check.digest()


def _mark(generation: bytes) -> bytes:
    return blake2b(digest_size=_MARK_BYTES, key=generation).digest()
