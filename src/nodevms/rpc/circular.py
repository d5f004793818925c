r"""Strings as the 2017 client must get them: it parses answers with CircularJSON.

There a string that starts with ``~`` is a back reference, and in every other string (never in a
member's name) the first ``\x7e`` after no backslash becomes ``~``, then the first ``\\x7e`` loses
one backslash. Only the first of each: the escaping that undoes this exactly is found by trying
the few possible spellings against a copy of that rule. A string which has none, such as
``\x7e\x7e``, arrives changed; the original server had the same limit, and more of them.

Facts from circular-json 0.5.9, by experiment; see docs/adr/0050.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"([ \t\r\n]*+:)?', re.DOTALL)
_FIRST_ESCAPED_TILDE = re.compile(r"(^|[^\\])\\x7e")
_FIRST_PROTECTED = re.compile(r"\\\\x7e")
_FIRST_FREE_TILDE = re.compile(r"(^|[^\\])~")
_SUSPECTS = (b"~", b"x7e", b"\\u00")


def escape(text: bytes) -> bytes:
    """Return JSON text whose string values the 2017 client reads as they are in ``text``.

    Only strings that need it are written anew; everything else is copied.
    """
    if not any(suspect in text for suspect in _SUSPECTS):
        return text
    return _TOKEN.sub(_escape_token, text)


def escape_string(value: str) -> str:
    """Return a string that the 2017 client's parser turns into ``value``.

    Where there is none, the original server's spelling is returned.
    """
    if "~" not in value and "\\x7e" not in value:
        return value
    for spelling in _spellings(value):
        if parsed(spelling) == value:
            return spelling
    return next(_spellings(value))


def parsed(value: str) -> str | None:
    """Return what CircularJSON makes of a string value, or None for a back reference."""
    if value.startswith("~"):
        return None
    return _FIRST_ESCAPED_TILDE.sub(r"\1~", value, count=1).replace("\\\\x7e", "\\x7e", 1)


def _spellings(value: str) -> Iterator[str]:
    # First the original server's own order of replacements, so that its wire is met where it works.
    protections = (
        value.replace("\\x7e", "\\\\x7e", 1),
        value,
        _FIRST_PROTECTED.sub(r"\\\\\\x7e", value, count=1),
        _FIRST_ESCAPED_TILDE.sub(r"\1\\\\x7e", value, count=1),
    )
    for protected in protections:
        yield protected.replace("~", "\\x7e", 1)
        yield protected
        yield _FIRST_FREE_TILDE.sub(r"\1\\x7e", protected, count=1)


def _escape_token(match: re.Match[bytes]) -> bytes:
    token = match[0]
    if match[1] is not None or not any(suspect in token for suspect in _SUSPECTS):
        return token
    value = json.loads(token)
    escaped = escape_string(value)
    # ASCII escapes write lone surrogates too, which UTF-8 cannot.
    return token if escaped == value else json.dumps(escaped).encode()
