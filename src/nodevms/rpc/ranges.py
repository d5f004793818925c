"""The ``Range`` header, as far as it is served: one range of bytes (RFC 9110, section 14)."""

from __future__ import annotations

import re

_ONE_RANGE = re.compile(
    r"bytes=[ \t]*([0-9]{0,100})-([0-9]{0,100})[ \t]*", re.ASCII | re.IGNORECASE
)


class UnsatisfiableRangeError(Exception):
    """The range holds no byte of the content; to be answered with 416."""


def one_range(header: str, size: int) -> range | None:
    """Return the bytes that a ``Range`` header asks for.

    Args:
        header: The header's value.
        size: Bytes of the content.

    Returns:
        The positions, at least one; None if the header is not one well-formed range of bytes.

    Raises:
        UnsatisfiableRangeError: The range begins at or after the end, or wants the last 0 bytes.
    """
    found = _ONE_RANGE.fullmatch(header)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        wanted = range(max(size - int(last), 0), size)
    elif last and int(last) < int(first):
        return None
    else:
        wanted = range(int(first), min(int(last) + 1, size) if last else size)
    if not wanted:
        raise UnsatisfiableRangeError
    return wanted
