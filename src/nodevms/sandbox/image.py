"""Copies of a guest's state, at rest or while it waits: whole, or what is its own of it."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PAGE_BYTES: Final = 65536
"""A page of WebAssembly."""
PIECE_BYTES: Final = 4096
"""A page of most processors."""

ZEROS: Final = bytes(PAGE_BYTES)
_memcmp: Final = ctypes.CDLL(None).memcmp  # other threads go on meanwhile
_memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


@dataclass(frozen=True, slots=True)
class Image:
    """A copy of everything that makes up the state of a guest that rests or waits for its host.

    What lies below the stack pointer is part of it: C code may copy bytes of its stack that it
    never set, such as the padding of a structure, and a guest that goes on from the image must
    copy the same.

    Attributes:
        stack_pointer: Where the C stack begins; it grows downwards.
        start: The address of the first byte that is kept; all before it are zero, in a new guest
            too.
        memory: The memory from there on.
    """

    stack_pointer: int
    start: int
    memory: bytes

    @property
    def size(self) -> int:
        """Bytes of the guest's memory."""
        return self.start + len(self.memory)

    @property
    def pieces(self) -> Sequence[tuple[int, bytes]]:
        """Addresses, and what stands there."""
        return ((self.start, self.memory),)

    def hash(self) -> str:
        """Return the heap hash in hex, as ``docs/spec-engine.md`` defines it."""
        digest = hashlib.sha256(self.stack_pointer.to_bytes(4, "little"))
        digest.update(bytes(self.start))
        digest.update(self.memory)
        return digest.hexdigest()


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


def differences(memory: int, size: int, new: Image) -> list[tuple[int, bytes]]:
    """Return what differs in a guest's memory from a new guest's, and where.

    Args:
        memory: Where the memory lies in this process.
        size: Its bytes, whole pages.
        new: The image of a new guest, whose memory was zeros before its start and beyond its end.
    """
    kept = ctypes.cast(ctypes.c_char_p(new.memory), ctypes.c_void_p).value or 0
    found: list[tuple[int, bytes]] = []
    for page in range(0, size, PAGE_BYTES):
        inside = PAGE_BYTES if new.start <= page < new.size else 0
        offset = page - new.start if inside else 0
        if not _memcmp(memory + page, kept + offset, inside) and not _memcmp(
            memory + page + inside, ZEROS, PAGE_BYTES - inside
        ):
            continue
        here = ctypes.string_at(memory + page, PAGE_BYTES)
        before = new.memory[offset : offset + inside] if inside else ZEROS
        for at in range(0, PAGE_BYTES, PIECE_BYTES):
            piece = here[at : at + PIECE_BYTES]
            if piece != before[at : at + PIECE_BYTES]:
                found.append((page + at, piece))
    return found
