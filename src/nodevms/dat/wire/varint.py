"""Variable-length integers: seven bits a byte, the least significant first, as in protobuf."""

from __future__ import annotations

from nodevms.errors import RemoteProtocolError

VARINT_MAX = 2**64 - 1
"""The greatest integer that protobuf knows."""


def encode_varint(value: int) -> bytes:
    """Return the bytes of an integer between 0 and :data:`VARINT_MAX`."""
    if value < 0x80:
        return _SHORT[value]
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def decode_varint(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Read one integer.

    Args:
        data: Bytes from outside.
        start: Where the integer begins.
        end: Where the bytes that belong to it end.

    Returns:
        The integer and the place after it.

    Raises:
        RemoteProtocolError: It does not end before ``end``, or is more than 64 bits.
    """
    if start < end and data[start] < 0x80:
        return data[start], start + 1
    value = shift = 0
    for place in range(start, min(end, start + 10)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > VARINT_MAX:
                break
            return value, place + 1
        shift += 7
    raise RemoteProtocolError("An integer does not end, or is too large.", code="dat-varint")


_SHORT = [bytes([value]) for value in range(0x80)]
