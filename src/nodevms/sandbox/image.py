"""Copies of a guest's state between two entries: all of its memory, or what is its own of it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PAGE_BYTES: Final = 65536
"""A page of WebAssembly."""
PIECE_BYTES: Final = 4096
"""A page of most processors."""

_ZEROS: Final = ctypes.create_string_buffer(PAGE_BYTES)
_memcmp: Final = ctypes.CDLL(None).memcmp  # other threads go on meanwhile
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


@dataclass(frozen=True, slots=True)
class Image:
    """A copy of everything that makes up a guest's state between two entries.

    Attributes:
        stack_pointer: Where the C stack begins; what lies below is dead and not kept.
        memory: The memory from there on.
    """

    stack_pointer: int
    memory: bytes

    @property
    def size(self) -> int:
        """Bytes of the guest's memory."""
        return self.stack_pointer + len(self.memory)

    @property
    def pieces(self) -> Sequence[tuple[int, bytes]]:
        """Addresses, and what stands there."""
        return ((self.stack_pointer, self.memory),)


@dataclass(frozen=True, slots=True)
class SparseImage:
    """As :class:`Image`, but of the memory only what differs from a new guest's.

    To have one costs a comparison of all memory. A guest that is made from it is made sooner: to
    touch a page for the first time costs more than to copy it, and a small script has few of its
    own.

    Attributes:
        stack_pointer: Where the C stack begins.
        size: Bytes of the guest's memory.
        pieces: Addresses, and what stands there.
    """

    stack_pointer: int
    size: int
    pieces: Sequence[tuple[int, bytes]]


def differences(memory: int, start: int, size: int, new: Image) -> list[tuple[int, bytes]]:
    """Return what differs in a guest's memory from a new guest's, and where.

    Args:
        memory: Where the memory lies in this process.
        start: The first address in it that counts, not below that of the image.
        size: Its bytes.
        new: The image of a new guest, whose memory was zeros beyond its end.
    """
    kept = ctypes.cast(ctypes.c_char_p(new.memory), ctypes.c_void_p).value or 0
    found: list[tuple[int, bytes]] = []
    for page in range(start, size, PAGE_BYTES):
        length = min(PAGE_BYTES, size - page)
        inside = max(min(length, new.size - page), 0)
        offset = page - new.stack_pointer
        if not _memcmp(memory + page, kept + offset, inside) and not _memcmp(
            memory + page + inside, _ZEROS, length - inside
        ):
            continue
        here = ctypes.string_at(memory + page, length)
        before = new.memory[offset : offset + inside] + bytes(length - inside)
        for at in range(0, length, PIECE_BYTES):
            piece = here[at : at + PIECE_BYTES]
            if piece != before[at : at + PIECE_BYTES]:
                found.append((page + at, piece))
    return found
