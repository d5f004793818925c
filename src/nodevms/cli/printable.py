"""Text from outside, made harmless for a terminal."""

from __future__ import annotations

import re
import sys
from typing import Final, TextIO

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return the text with escapes for what could steer a terminal or turn its lines around.

    Newlines and tabs stay.
    """
    return _CONTROL.sub(_escape, text)


def as_it_is(text: str, stream: TextIO) -> str:
    """Return a text that is shown as it is, unless that is on a terminal.

    Half a surrogate pair, which no stream can write, becomes U+FFFD.
    """
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return printable(text) if stream.isatty() else text


def json_for_stdout(text: bytes) -> bytes:
    """Return JSON text for standard output, on a terminal with escapes, which mean the same."""
    if text.isascii() or not sys.stdout.isatty():
        return text
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text.decode()).encode()


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
