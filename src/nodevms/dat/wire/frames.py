"""Cuts a stream of bytes into frames: a varint length, then that many bytes.

A frame of length 0 alone is a keep-alive. Memory is bounded by one frame and what came with it.
Whole frames inside one chunk are handed out in place, without a copy.

Spec: DEP-0010 (wire protocol); the limit of 8 MiB is that of hypercore-protocol 6.
"""

from __future__ import annotations

import re

from nodevms.dat.wire.varint import encode_varint
from nodevms.errors import RemoteProtocolError

FRAME_BYTES_MAX = 8 * 1024 * 1024
_LENGTH_BYTES_MAX = 4
_ZEROS = re.compile(rb"\x00+")


def frame(*parts: bytes) -> list[bytes]:
    """Return the pieces of a frame that holds ``parts`` joined."""
    return [encode_varint(sum(map(len, parts))), *parts]


class FrameDecoder:
    """Takes chunks of any size and gives out frames."""

    __slots__ = ("_data", "_needed", "_pending", "_place", "bytes_max", "keep_alives")

    def __init__(self) -> None:
        self.bytes_max = FRAME_BYTES_MAX
        """The longest frame that is taken."""
        self._data = b""
        self._place = 0
        self._pending = bytearray()
        self._needed = 0
        self.keep_alives = 0
        """How many keep-alives came so far."""

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if not self._pending and self._place == len(self._data):
            self._data, self._place = data, 0
        else:
            if not self._pending:
                self._pending += self._data[self._place :]
                self._data, self._place = b"", 0
            self._pending += data

    @property
    def buffered_bytes(self) -> int:
        """Bytes that were taken and not given out yet."""
        return len(self._data) - self._place + len(self._pending)

    def take_rest(self) -> bytes:
        """Return the bytes that no frame was made of yet, and forget them."""
        rest = self._data[self._place :] + bytes(self._pending)
        self._data, self._place, self._needed = b"", 0, 0
        self._pending.clear()
        return rest

    def next(self) -> tuple[bytes, int, int] | None:
        """Return the next frame that is not a keep-alive, or None until more bytes come.

        Returns:
            Bytes, and where in them the frame's content begins and ends. It has at least one byte.

        Raises:
            RemoteProtocolError: A frame claims more than ``bytes_max`` bytes (``dat-frame``).
        """
        while True:
            if self._pending:
                if len(self._pending) < self._needed:
                    return None
                self._data, self._place = bytes(self._pending), 0
                self._pending.clear()
            data, place = self._data, self._place
            length = self._length(data, place)
            if length is None:
                self._needed = 0
                return None
            size, start = length
            if size:
                end = start + size
                if end > len(data):
                    self._needed = end - place
                    return None
                self._place, self._needed = end, 0
                return data, start, end
            zeros = _ZEROS.match(data, place)
            self._place = zeros.end() if zeros else start
            self.keep_alives += self._place - place

    def _length(self, data: bytes, place: int) -> tuple[int, int] | None:
        """Return a frame's length and the place after it, or None if it is not whole yet."""
        size = 0
        for step, byte in enumerate(data[place : place + _LENGTH_BYTES_MAX]):
            size |= (byte & 0x7F) << 7 * step
            if byte < 0x80:
                if size > self.bytes_max:
                    break
                return size, place + step + 1
        else:
            if len(data) - place < _LENGTH_BYTES_MAX:
                return None
        raise RemoteProtocolError(
            f"A frame is larger than {self.bytes_max} bytes.", code="dat-frame"
        )
