"""What the operator reads when a script does not start: the place in it, and what to do."""

from __future__ import annotations

from typing import Final

from nodevms.sandbox import Outcome
from nodevms.vm.error_text import describe_error
from nodevms.vm.errors import ScriptError
from nodevms.vm.script import Script
from nodevms.vm.script_advice import advice_on_error, advice_on_syntax

EXCERPT_CHARACTERS_MAX: Final = 160
_LIMIT: Final = b'{"name":"LimitError"'
_NEVER_SETTLED: Final = b'"code":"ERR_NEVER_SETTLED"'


def start_failure(outcome: Outcome, script: Script) -> ScriptError:
    """Turn a failed start into an error.

    Args:
        outcome: How it ended; it has an error.
        script: The script that was started.
    """
    error = outcome.error or b"{}"
    sentence = f"{script.name}: {describe_error(error)}"
    if outcome.position is not None:
        line, column = _in_characters(script.code, *outcome.position)
        return ScriptError(
            f"{script.name}:{line}:{column}: {describe_error(error)}",
            code="script-syntax",
            hint=_joined(
                _excerpt(script.code, line, column),
                advice_on_syntax(_line(script.code, line), column),
            ),
        )
    if _NEVER_SETTLED in error:
        return ScriptError(
            f"{script.name}: what the script, its init or upgrade waits for never settles",
            code="script-limit",
            hint="Nothing was recorded. It waits for something that nothing in the script does.",
        )
    if error.startswith(_LIMIT):
        return ScriptError(
            f"{sentence}, and so may loading the script with its init or upgrade",
            code="script-limit",
            hint="Nothing was recorded. Use --limit if the script really needs more.",
        )
    stack = (outcome.stack or "").rstrip("\n").replace("script.js:", f"{script.name}:")
    return ScriptError(sentence, code="script-threw", hint=_joined(stack, advice_on_error(error)))


def no_exports(script: Script) -> ScriptError:
    """Return the error for a script that offers nothing to call."""
    return ScriptError(
        f"{script.name}: the script exports no function",
        code="script-no-exports",
        hint="Write exports.name = function () { … } for each method; "
        "those of a class do not count.",
    )


def _joined(*texts: str | None) -> str | None:
    return "\n".join(filter(None, texts)) or None


def _line(code: str, number: int) -> str:
    lines = code.removeprefix("\ufeff").split("\n", number)
    return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


def _in_characters(code: str, line: int, column: int) -> tuple[int, int]:
    """Turn the engine's column, which counts bytes of UTF-8, into one that counts characters."""
    before = _line(code, line).encode()[: column - 1]
    return line, len(before.decode("utf-8", "ignore")) + 1


def _excerpt(code: str, line: int, column: int) -> str | None:
    """Return the line with a mark below the place, or None if that would not help."""
    text = _line(code, line)
    if not text or len(text) > EXCERPT_CHARACTERS_MAX:
        return None
    shown = "".join(c if c.isprintable() or c == "\t" else "?" for c in text)
    blank = "".join("\t" if c == "\t" else " " for c in shown[: column - 1])
    return f"{shown}\n{blank}^"
