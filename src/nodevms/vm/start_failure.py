"""What the operator reads when a script does not start: the place in it, and what to do."""

from __future__ import annotations

import json
import re
from typing import Final

from nodevms.sandbox import Outcome
from nodevms.vm.error_text import describe_error
from nodevms.vm.errors import ScriptError
from nodevms.vm.script import Script
from nodevms.vm.script_advice import advice_on_error, advice_on_exports, advice_on_syntax
from nodevms.vm.source_text import SourceText

_LIMIT: Final = b'{"name":"LimitError"'
_NEVER_SETTLED: Final = b'"code":"ERR_NEVER_SETTLED"'
_NOT_PARSED: Final = re.compile(r"\s*at script\.js:\d+:\d+\s*")
"""The stack of a script that does not parse: nothing ran, so there is no function in it."""


def start_failure(outcome: Outcome, script: Script) -> ScriptError:
    """Turn a failed start into an error.

    Args:
        outcome: How it ended; it has an error.
        script: The script that was started.
    """
    error = outcome.error or b"{}"
    source = SourceText(script)
    if outcome.position is not None and _NOT_PARSED.fullmatch(outcome.stack or ""):
        return _syntax_error(describe_error(error), outcome.position, script, source)
    sentence = f"{script.name}: {describe_error(error)}"
    if _NEVER_SETTLED in error:
        return ScriptError(
            f"{script.name}: what the script, its init or upgrade waits for never settles",
            code="script-limit",
            hint="Nothing was recorded. It waits for something that nothing in the script does.",
        )
    if error.startswith(_LIMIT):
        return ScriptError(
            f"{sentence} ({json.loads(error)['code']})",
            code="script-limit",
            hint="Nothing was recorded. Loading the script with its init or upgrade may use what "
            "a call may; raise it with --limit if the script really needs more.",
        )
    stack = outcome.stack or ""
    place = source.place(stack)
    if place is not None:
        sentence = f"{script.name}:{place[0]}:{place[1]}: {describe_error(error)}"
    return ScriptError(
        sentence,
        code="script-threw",
        hint=_joined(
            source.excerpt(*place) if place else None, source.frames(stack), advice_on_error(error)
        ),
    )


def no_exports(script: Script) -> ScriptError:
    """Return the error for a script that offers nothing to call."""
    return ScriptError(
        f"{script.name}: the script exports no function",
        code="script-no-exports",
        hint=advice_on_exports(script.code),
    )


def _syntax_error(
    sentence: str, position: tuple[int, int], script: Script, source: SourceText
) -> ScriptError:
    line, column = position[0], source.column(*position)
    return ScriptError(
        f"{script.name}:{line}:{column}: {sentence}",
        code="script-syntax",
        hint=_joined(
            source.excerpt(line, column), advice_on_syntax(script.name, source.line(line), column)
        ),
    )


def _joined(*texts: str | None) -> str | None:
    return "\n".join(filter(None, texts)) or None
