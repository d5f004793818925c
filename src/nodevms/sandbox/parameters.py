"""Parameter names from a function's source text, for people who read the list of methods."""

from __future__ import annotations

import re
from typing import Final

_IDENTIFIER: Final = re.compile(r"\s*+(?:\.\.\.\s*+)?([A-Za-z_$][\w$]*)")
_SINGLE: Final = re.compile(r"(?:async\s+)?([A-Za-z_$][\w$]*)\s*=>")
# One pass, whatever the text: what is not closed reaches to the end, and nothing is tried twice.
_SKIPPED: Final = re.compile(
    r"/\*.*?(?:\*/|\Z)|//[^\n]*|([\"'`])(?:\\(?:.|\Z)|(?!\1)[^\\])*(?:\1|\Z)", re.DOTALL
)
_OPENING: Final = {"(": ")", "[": "]", "{": "}"}
PARAMETERS_MAX: Final = 64


def parameter_names(source: str) -> tuple[str, ...]:
    """Return the names as they are written; ``argN`` for a pattern. Never runs any code.

    Args:
        source: The beginning of the function's text, as ``toString`` gives it.
    """
    source = _SKIPPED.sub(" ", source)
    single = _SINGLE.match(source)
    if single is not None:
        return (single[1],)
    start = source.find("(")
    if start < 0:
        return ()
    names = []
    for number, part in enumerate(_split(source, start + 1)[:PARAMETERS_MAX]):
        match = _IDENTIFIER.match(part)
        names.append(match[1] if match else f"arg{number}")
    return tuple(names)


def _split(source: str, start: int) -> list[str]:
    """Split the text after the opening parenthesis at its own commas, up to its end."""
    parts: list[str] = []
    closing = [")"]
    begin = at = start
    while at < len(source):
        character = source[at]
        if character in _OPENING:
            closing.append(_OPENING[character])
        elif character == closing[-1]:
            closing.pop()
            if not closing:
                break
        elif character == "," and len(closing) == 1:
            parts.append(source[begin:at])
            begin = at + 1
        at += 1
    parts.append(source[begin:at])
    return [part for part in parts if part.strip()]
