"""The run-length code of bitmaps: which blocks somebody has, in few bytes.

A varint ``n << 2 | bit << 1 | 1`` stands for n bytes of 00 or FF; a varint ``n << 1`` says that n
literal bytes follow. Bits count from the most significant. A few bytes of code may claim more
memory than any machine has, so decoding is told how much is wanted and makes no more.

Spec: the npm package ``bitfield-rle``, as hypercore 6 uses it in Have messages.
"""

from __future__ import annotations

import re

from nodevms.dat.wire.varint import decode_varint, encode_varint
from nodevms.errors import RemoteProtocolError

_EMPTY_MAX = 16
_RUN = re.compile(rb"\x00{4,}|\xff{4,}")


def encode_bitmap(bitmap: bytes) -> bytes:
    """Return the code of a bitmap."""
    parts: list[bytes] = []
    place = 0
    for run in _RUN.finditer(bitmap):
        _add_literal(parts, bitmap[place : run.start()])
        place = run.end()
        bit = bitmap[run.start()] & 1
        parts.append(encode_varint((place - run.start()) << 2 | bit << 1 | 1))
    _add_literal(parts, bitmap[place:])
    return b"".join(parts)


def decode_bitmap(code: bytes, bytes_max: int) -> bytes:
    """Return the bitmap that the code stands for.

    Args:
        code: Bytes from outside.
        bytes_max: How much of the bitmap is wanted; what the code says beyond is not looked at.

    Raises:
        RemoteProtocolError: The code is cut off, an integer in it is too large, or it says
            nothing at length (``dat-bitmap``, ``dat-varint``).
    """
    parts: list[bytes] = []
    place, end, left, empty = 0, len(code), bytes_max, 0
    while place < end and left > 0:
        head, place = decode_varint(code, place, end)
        if head & 1:
            size = min(head >> 2, left)
            parts.append((b"\xff" if head & 2 else b"\x00") * size)
        else:
            size = head >> 1
            if size > end - place:
                raise RemoteProtocolError("A bitmap is cut off.", code="dat-bitmap")
            parts.append(code[place : place + min(size, left)])
            place += size
        left -= size
        empty += not size
        if empty > _EMPTY_MAX:  # they cost time and say nothing
            raise RemoteProtocolError("A bitmap is full of empty runs.", code="dat-bitmap")
    return b"".join(parts)


def _add_literal(parts: list[bytes], literal: bytes) -> None:
    if literal:
        parts += (encode_varint(len(literal) << 1), literal)
