"""What to write instead, for those who bring the habits of Node or of a browser into a script."""

from __future__ import annotations

import re
from typing import Final

_MISSING: Final = re.compile(rb'^\{"name":"ReferenceError","message":"(\w+) is not defined"')
_IMPORTS: Final = re.compile(rb"could not load module|dynamic import")

_ONE_FILE: Final = (
    "A backend script is one file: bundle what it needs from npm. Its files are in System.files."
)
_NO_NODE: Final = (
    "A backend script has System, Buffer, console and timers, and nothing else of Node."
)
_NO_NETWORK: Final = "A backend script reaches no network: let the caller pass what it needs."
_NO_MACHINE: Final = (
    "Nothing in a backend script depends on the machine: Date and Math.random are replayed."
)
_ADVICE: Final = {
    b"require": _ONE_FILE,
    **dict.fromkeys((b"process", b"global", b"__dirname", b"__filename", b"window"), _NO_NODE),
    **dict.fromkeys((b"fetch", b"XMLHttpRequest", b"WebSocket"), _NO_NETWORK),
    **dict.fromkeys((b"crypto", b"performance"), _NO_MACHINE),
}


def advice_on_error(err: bytes) -> str | None:
    """Return a sentence for an error that a habit explains, or None.

    Args:
        err: The JSON text of what was thrown, as an entry holds it.
    """
    if missing := _MISSING.match(err):
        return _ADVICE.get(missing[1])
    return _ONE_FILE if _IMPORTS.search(err, 0, 200) else None


def advice_on_syntax(line: str, column: int) -> str | None:
    """Return a sentence for a line that is no CommonJS, or None.

    Args:
        line: The line's text.
        column: Where the engine stopped, in characters, from 1.
    """
    if re.match(r"\s*(import|export)\b", line):
        return "A backend script is a CommonJS module: write exports.name = …, without import."
    if re.search(r"\bawait\s*$", line[: column - 1]):
        return "await works inside async functions only; let exports.init prepare the files."
    return None
