"""What to write instead, for those who bring the habits of Node or of a browser into a script."""

from __future__ import annotations

import re
from typing import Final

_MISSING: Final = re.compile(rb'^\{"name":"ReferenceError","message":"(\w+) is not defined"')

_AN_ES_MODULE: Final = (
    "A script with import, export or await at its top is an ES module: write export function … "
    "and import … from 'util'."
)
_NO_NODE: Final = (
    "A backend script has System, Buffer, console, timers and Node's pure modules, and nothing of "
    "Node that depends on the machine."
)
_NO_PROCESS: Final = (
    "A backend script has no process. If a package asks for process.env, bundle it with "
    "--define:process.env={}."
)
_NO_NETWORK: Final = "A backend script reaches no network: let the caller pass what it needs."
_NO_MACHINE: Final = (
    "Nothing in a backend script depends on the machine: Date and Math.random are replayed."
)
_ADVICE: Final = {
    b"process": _NO_PROCESS,
    **dict.fromkeys((b"require", b"module", b"exports"), _AN_ES_MODULE),
    **dict.fromkeys((b"__dirname", b"__filename", b"window"), _NO_NODE),
    **dict.fromkeys((b"fetch", b"XMLHttpRequest", b"WebSocket"), _NO_NETWORK),
    **dict.fromkeys((b"crypto", b"performance"), _NO_MACHINE),
}


def advice_on_error(err: bytes) -> str | None:
    """Return a sentence for an error that a habit explains, or None.

    Args:
        err: The JSON text of what was thrown, as an entry holds it.
    """
    missing = _MISSING.match(err)
    return _ADVICE.get(missing[1]) if missing else None


def advice_on_syntax(line: str, column: int) -> str | None:
    """Return a sentence for a line that is no JavaScript, or None.

    Args:
        line: The line's text.
        column: Where the engine stopped, in characters, from 1.
    """
    if re.search(r"\bawait\s*$", line[: column - 1]):
        return "await works in async functions, and at the top of an ES module."
    return None
