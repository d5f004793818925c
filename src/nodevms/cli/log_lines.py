"""One line of text, or of JSON, for each block of a call log.

Everything comes from strangers: control characters are shown as escapes, and what is no entry of
ours (the logs of other programs are JSON feeds as well) is shown as it is.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from nodevms.cli.printable import json_for_stdout, printable
from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.json_text import deeper_than, hide_surrogates
from nodevms.vm.entries import JSON_DEPTH_MAX, Call, Entry, Init, decode, oracles_of, time_of
from nodevms.vm.script import code_hash

SHOWN_CHARACTERS_MAX: Final = 160
_ANY: Final = msgspec.json.Decoder(Raw)


def json_line(seq: int, block: bytes) -> bytes:
    """Return ``{"seq":…,"entry":…}`` with the block's own JSON text.

    A block that is no JSON is given as ``base64`` instead of ``entry``.
    """
    if _is_json(block):
        return b'{"seq":%d,"entry":%s}' % (seq, json_for_stdout(block.strip()))
    return b'{"seq":%d,"base64":"%s"}' % (seq, base64.b64encode(block))


def text_line(seq: int, block: bytes) -> str:
    """Return seq, time and what happened, in one line."""
    try:
        entry = decode(block)
    except (ProvedFalseError, CouldNotCheckError):
        text = block.decode("utf-8", "replace").strip()
        return f"{seq:>7}  {_harmless(text)}"
    return f"{seq:>7}  {_when(time_of(entry))}  {_harmless(_what(entry), None)}"


def _what(entry: Entry) -> str:
    if isinstance(entry, Call):
        call = entry.call
        arguments = _short(bytes(call.args)[1:-1].decode("utf-8", "replace"))
        by = "" if call.userId is None else f"{_short(call.userId)}: "
        return f"{by}{_short(call.methodName)}({arguments}){_outcome(entry)}"
    kind = {"Init": "init", "Restart": "restart", "Upgrade": "upgrade"}[type(entry).__name__]
    code = getattr(entry, "code", None)
    script = "" if code is None else f" script {code_hash(code)[:16]}…"
    title = f" {_short(entry.title)!r}" if isinstance(entry, Init) and entry.title else ""
    return f"{kind}{title}{script}{_outcome(entry)}"


def _outcome(entry: Entry) -> str:
    result = entry.result
    parts = []
    if isinstance(result.err, Raw):
        parts.append(f" ✖ {_error(bytes(result.err))}")
    elif isinstance(result.res, Raw):
        parts.append(f" → {_short(bytes(result.res).decode('utf-8', 'replace'))}")
    if result.changes is not UNSET and result.changes:
        count = len(result.changes)
        parts.append(f"  [{count} change{'s' if count != 1 else ''}, v{result.filesVersion}]")
    if asked := oracles_of(entry):
        parts.append(f"  [{len(asked)} oracle{'s' if len(asked) != 1 else ''}]")
    return "".join(parts)


class _Thrown(msgspec.Struct):
    name: str = ""
    message: str = ""
    value: Raw | UnsetType = UNSET


def _error(text: bytes) -> str:
    try:
        thrown = msgspec.json.decode(hide_surrogates(text), type=_Thrown)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _short(text.decode("utf-8", "replace"))
    if thrown.name:
        return _short(f"{thrown.name}: {thrown.message}")
    value = "undefined" if thrown.value is UNSET else bytes(thrown.value).decode("utf-8", "replace")
    return _short(f"threw {value}")


def _is_json(block: bytes) -> bool:
    try:
        block.decode("utf-8")
        if b"\n" in block.strip() or deeper_than(block, JSON_DEPTH_MAX + 8):
            return False
        _ANY.decode(hide_surrogates(block))
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        return False
    return True


def _when(time_ms: int) -> str:
    try:
        time = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"
    return time.strftime("%Y-%m-%d %H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def _short(text: str, most: int = SHOWN_CHARACTERS_MAX) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _harmless(text: str, most: int | None = SHOWN_CHARACTERS_MAX) -> str:
    text = printable(text if most is None else _short(text, most))
    return text.replace("\n", "\\n").replace("\t", "\\t")
