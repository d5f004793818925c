"""Cheap operations on JSON text that never parse it into values.

Numbers and strings must reach the guest as the client wrote them, so the text itself is what is
measured and trimmed. All functions are linear in the text and use no recursion.
"""

from __future__ import annotations

import re
from itertools import accumulate

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_STRINGS = re.compile(_STRING, re.DOTALL)
_NO_SPACE = re.compile(_STRING + rb'|[^ \t\r\n"]++', re.DOTALL)
_STRING_OR_BRACKET = re.compile(rb"(" + _STRING + rb")|([\[{])|[\]}]", re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = [0] * 256
for _open, _close in (b"[]", b"{}"):
    _STEP[_open], _STEP[_close] = 1, -1


def compact(text: bytes) -> bytes:
    """Return valid JSON text without insignificant whitespace; every token stays as it was."""
    if b" " in text or b"\n" in text or b"\t" in text or b"\r" in text:
        return b"".join(_NO_SPACE.findall(text))
    return text


def deeper_than(text: bytes, depth_max: int) -> bool:
    """Tell whether brackets outside strings stand inside each other deeper than ``depth_max``.

    The text need not be JSON; for text that is not, the answer may be either.
    """
    if text.count(b"[") + text.count(b"{") <= depth_max:
        return False
    brackets = _STRINGS.sub(b"", text).translate(None, _NOT_BRACKETS)
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > depth_max


def outline(text: bytes) -> bytes:
    """Return the text of an object with each array or object inside it replaced by ``0``."""
    pieces: list[bytes] = []
    depth, start = 0, 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[1] is not None:
            continue
        opens = match[2] is not None
        if opens and depth == 1:
            pieces += text[start : match.start()], b"0"
        depth += 1 if opens else -1
        if not opens and depth == 1:
            start = match.end()
    return b"".join(pieces) + text[start:]


def hide_surrogates(text: bytes) -> bytes:
    r"""Replace the backslash of each ``\udXXX`` escape of a surrogate by the byte 0xFF.

    JavaScript writes a lone surrogate as such an escape; msgspec refuses to skip over one. The
    byte cannot occur in UTF-8, so `show_surrogates` restores the text exactly, in place.
    """
    if b"\\ud" not in text and b"\\uD" not in text:
        return text
    return _ESCAPE.sub(lambda match: b"\xff" + match[1] if match[1] else match[0], text)


def show_surrogates(text: bytes) -> bytes:
    """Undo `hide_surrogates` on any part of its result."""
    return text.replace(b"\xff", b"\\")
