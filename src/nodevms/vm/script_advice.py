"""What to write instead, for those who bring the habits of Node or of a browser into a script."""

from __future__ import annotations

import re
from typing import Final

_MISSING: Final = re.compile(rb'^\{"name":"ReferenceError","message":"(\w+) is not defined"')
_NOT_LISTED: Final = re.compile(
    rb'^\{"name":"TypeError","message":"fetch failed: the operator allows no requests to '
)
_TYPED: Final = re.compile(r"\.([cm]?ts|[tj]sx)$")
_EXPORTS_REPLACED: Final = re.compile(r"^\s*exports\s*=(?![=>])", re.MULTILINE)
_EXPORTED: Final = re.compile(r"\bexports\b")
_FUNCTION: Final = re.compile(
    r"^(?:async\s+)?function\b\s*\*?\s*([A-Za-z_$][\w$]*)"
    r"|^(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*(?:async\b\s*)?(?:function\b|\(|[\w$]+\s*=>)",
    re.MULTILINE,
)
_MODULE: Final = re.compile(r"^\s*(?:import|export)\b", re.MULTILINE)

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
_NO_NETWORK: Final = (
    "A backend script reaches the network by fetch in System.oracle alone; or let the caller pass "
    "what it needs."
)
_ALLOW: Final = "Oracles reach only what nodevms exec --allow-net HOST or HOST:PORT lists."
_NO_MACHINE: Final = (
    "Nothing in a backend script depends on the machine: Date and Math.random are replayed. "
    "System.oracle(() => Date.now()) asks for the true time."
)
_ADVICE: Final = {
    b"process": _NO_PROCESS,
    **dict.fromkeys((b"require", b"module", b"exports"), _AN_ES_MODULE),
    **dict.fromkeys((b"__dirname", b"__filename", b"window"), _NO_NODE),
    **dict.fromkeys((b"XMLHttpRequest", b"WebSocket"), _NO_NETWORK),
    b"performance": _NO_MACHINE,
}


def advice_on_error(err: bytes) -> str | None:
    """Return a sentence for an error that a habit explains, or None.

    Args:
        err: The JSON text of what was thrown, as an entry holds it.
    """
    if _NOT_LISTED.match(err):
        return _ALLOW
    missing = _MISSING.match(err)
    return _ADVICE.get(missing[1]) if missing else None


def advice_on_syntax(name: str, line: str, column: int) -> str | None:
    """Return a sentence for a script that is no JavaScript, or None.

    Args:
        name: The script's file name.
        line: The text of the line where the engine stopped.
        column: Where, in characters, from 1.
    """
    if _TYPED.search(name):
        return (
            "A backend script is JavaScript. Turn it into that first, for example: "
            f"npx esbuild {name} --bundle --platform=node --format=cjs --outfile=script.js"
        )
    if name.endswith(".json"):
        return "This is no script. Name the file that it describes."
    if re.search(r"\bawait\s*$", line[: column - 1]):
        return "await works in async functions, and at the top of an ES module."
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
        name = name[:100]
        written = f"export {{ {name} }}" if _MODULE.search(code) else f"exports.{name} = {name}"
        return f"Nothing is exported. Write, for example: {written}"
    return (
        "Write exports.name = function () { … }, or export function name () { … }, for each "
        "method; values that are no functions, and the methods of a class, do not count."
    )
