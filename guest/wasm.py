"""The little of the WebAssembly binary format that the guest's build reads and writes.

Specification: WebAssembly Core 2.0, chapter 5. Everything unknown is refused: the build makes
exactly one module, and a surprise in it should stop the build.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\0asm\x01\0\0\0"
PAGE = 65536

CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT = range(8)
START, ELEMENT, CODE, DATA, DATA_COUNT = range(8, 13)

I64 = 0x7E
MUTABLE = 1
EXPORT_GLOBAL = 3
I32_CONST, I64_CONST, END = 0x41, 0x42, 0x0B


class FormatError(ValueError):
    """The module has something that this build does not expect."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its number and its body without the length."""

    number: int
    body: bytes


def unsigned(value: int) -> bytes:
    """Encodes an unsigned LEB128."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Encodes a signed LEB128."""
    out = bytearray()
    while not -0x40 <= value <= 0x3F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def read_unsigned(data: bytes, at: int) -> tuple[int, int]:
    """Returns the unsigned LEB128 at an offset, and the offset after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def skip_leb(data: bytes, at: int) -> int:
    """Returns the offset after the LEB128 at an offset."""
    while data[at] & 0x80:
        at += 1
    return at + 1


def vector(items: list[bytes]) -> bytes:
    """Encodes a vector of encoded items."""
    return unsigned(len(items)) + b"".join(items)


def read_sections(module: bytes) -> list[Section]:
    """Splits a module; custom sections (names, tool versions) are dropped.

    Raises:
        FormatError: Not a module, or it has a start function.
    """
    if not module.startswith(MAGIC):
        raise FormatError("not a WebAssembly module")
    sections = []
    at = len(MAGIC)
    while at < len(module):
        number = module[at]
        length, at = read_unsigned(module, at + 1)
        if number == START or number > DATA_COUNT:
            raise FormatError(f"section {number} is not expected")
        if number != CUSTOM:
            sections.append(Section(number, module[at : at + length]))
        at += length
    return sections


def write_sections(sections: list[Section]) -> bytes:
    """Joins sections to a module."""
    parts = [bytes([s.number]) + unsigned(len(s.body)) + s.body for s in sections]
    return MAGIC + b"".join(parts)


def read_exports(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields each export's name and its whole encoding."""
    count, at = read_unsigned(body, 0)
    for _ in range(count):
        start = at
        length, at = read_unsigned(body, at)
        name = body[at : at + length].decode()
        at = skip_leb(body, at + length + 1)
        yield name, body[start:at]
