"""Server-to-client WebSocket frames (RFC 6455, 5.2): unmasked, whole, uncompressed.

Made here so that the answers of one turn of the event loop leave in one write.
"""

from __future__ import annotations

import struct

_TEXT = 0x81
_CLOSE = 0x88
_REASON_BYTES_MAX = 123


def text_header(size: int) -> bytes:
    """Return the header of a text message of ``size`` bytes."""
    if size < 126:
        return bytes((_TEXT, size))
    if size < 1 << 16:
        return struct.pack("!BBH", _TEXT, 126, size)
    return struct.pack("!BBQ", _TEXT, 127, size)


def close_payload(code: int, reason: str) -> bytes:
    """Return a close frame's payload; a long reason is cut at a character."""
    text = reason.encode()[:_REASON_BYTES_MAX].decode("utf-8", "ignore").encode()
    return struct.pack("!H", code) + text


def close_frame(code: int, reason: str) -> bytes:
    """Return a close frame."""
    payload = close_payload(code, reason)
    return bytes((_CLOSE, len(payload))) + payload
