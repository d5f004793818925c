"""JSON as text: what may be done to it without reading and writing it again.

Arguments and results are logged and replayed as the exact text that the caller or the guest
wrote. Python must not re-encode them, because its numbers and strings differ from JavaScript's.
These functions look at such a text, or change only what carries no meaning.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[ \t\r\n]+', re.DOTALL)
_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_WHITESPACE = re.compile(rb"[ \t\r\n]")


def compact(text: bytes) -> bytes:
    """Remove the white space between tokens and leave every token as it was written."""
    if not _WHITESPACE.search(text):
        return text
    return _TOKEN.sub(lambda m: m[0] if m[0][:1] == b'"' else b"", text)


def nests_deeper_than(text: bytes, levels: int) -> bool:
    """Tell whether arrays and objects of a JSON text nest deeper than so many levels."""
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    level = 0
    for match in _BRACKET.finditer(text):
        token = match[0]
        if token in (b"[", b"{"):
            level += 1
            if level > levels:
                return True
        elif token in (b"]", b"}"):
            level -= 1
    return False


def hide_lone_surrogates(text: bytes) -> tuple[bytes, bytes | None]:
    r"""Replace escapes such as ``\ud800`` that stand alone, which JavaScript allows.

    Strict decoders refuse a surrogate escape without its other half, although a JavaScript
    string may hold one. Each such ``\u`` becomes a two-byte mark that the text does not use
    elsewhere, so that :func:`reveal_lone_surrogates` can bring it back in any part of the text.

    Returns:
        The text and the mark, or the unchanged text and None when there was nothing to hide.
    """
    if b"\\ud" not in text and b"\\uD" not in text:
        return text, None
    mark = next(
        (
            m
            for i in range(0x21, 0x7F)
            if (m := b"\x7f" + bytes([i])) not in text and i not in b'"\\'
        ),
        None,
    )
    if mark is None:
        return text, None
    hidden = _ESCAPE.sub(lambda m: mark + m[1] if m[1] is not None else m[0], text)
    return (hidden, mark) if hidden != text else (text, None)


def reveal_lone_surrogates(text: bytes, mark: bytes | None) -> bytes:
    r"""Undo :func:`hide_lone_surrogates` in a part of the text that it returned."""
    return text if mark is None else text.replace(mark, b"\\u")
