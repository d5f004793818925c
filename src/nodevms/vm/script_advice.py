"""What to write instead, for those who bring the habits of Node or of a browser into a script."""

from __future__ import annotations

import re
from typing import Final

_MISSING: Final = re.compile(rb'^\{"name":"ReferenceError","message":"(\w+) is not defined"')
_TYPED: Final = re.compile(r"\.([cm]?ts|[tj]sx)$")
_EXPORTS_REPLACED: Final = re.compile(r"^\s*exports\s*=(?![=>])", re.MULTILINE)
_EXPORTED: Final = re.compile(r"\bexports\b")
_FUNCTION: Final = re.compile(
    r"^(?:async\s+)?function\b\s*\*?\s*([A-Za-z_$][\w$]*)"
    r"|^(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*(?:async\b\s*)?(?:function\b|\(|[\w$]+\s*=>)",
    re.MULTILINE,
)
_IMPORTS: Final = re.compile(rb"could not load module|dynamic import")

_ONE_FILE: Final = (
    "A backend script is one file: bundle what it needs from npm. Its files are in System.files."
)
_NO_NODE: Final = (
    "A backend script has System, Buffer, console and timers, and nothing else of Node."
)
_NO_NETWORK: Final = (
    "A backend script reaches the network by fetch in System.oracle alone; or let the caller pass "
    "what it needs."
)
_NO_MACHINE: Final = (
    "Nothing in a backend script depends on the machine: Date and Math.random are replayed. "
    "System.oracle(() => Date.now()) asks for the true time."
)
_ADVICE: Final = {
    b"require": _ONE_FILE,
    **dict.fromkeys((b"process", b"global", b"__dirname", b"__filename", b"window"), _NO_NODE),
    **dict.fromkeys((b"XMLHttpRequest", b"WebSocket"), _NO_NETWORK),
    b"performance": _NO_MACHINE,
}


def advice_on_error(err: bytes) -> str | None:
    """Return a sentence for an error that a habit explains, or None.

    Args:
        err: The JSON text of what was thrown, as an entry holds it.
    """
    if missing := _MISSING.match(err):
        return _ADVICE.get(missing[1])
    return _ONE_FILE if _IMPORTS.search(err, 0, 200) else None


def advice_on_syntax(name: str, line: str, column: int) -> str | None:
    """Return a sentence for a script that is no CommonJS, or no JavaScript, or None.

    Args:
        name: The script's file name.
        line: The text of the line where the engine stopped.
        column: Where, in characters, from 1.
    """
    if _TYPED.search(name):
        return (
            "A backend script is JavaScript. Turn it into that first, for example: "
            f"npx esbuild {name} --bundle --format=cjs --outfile=script.js"
        )
    if name.endswith(".json"):
        return "This is no script. Name the file that it describes."
    if re.match(r"\s*(import|export)\b", line):
        return "A backend script is a CommonJS module: write exports.name = …, without import."
    if re.search(r"\bawait\s*$", line[: column - 1]):
        return "await works inside async functions only; let exports.init prepare the files."
    return None


def advice_on_exports(code: str) -> str:
    """Return a sentence for a script that loads and exports no function.

    Args:
        code: Its text. What is meant is guessed from it, so the sentence says what to write.
    """
    if _EXPORTS_REPLACED.search(code):
        return "exports = … changes only the variable of this name: write module.exports = …"
    if not _EXPORTED.search(code) and (function := _FUNCTION.search(code)):
        name = function[1] or function[2]
        return f"Nothing is exported. Write, for example: exports.{name[:100]} = {name[:100]}"
    return (
        "Write exports.name = function () { … } for each method; "
        "values that are no functions, and the methods of a class, do not count."
    )
