"""Completion at the prompt: names, a backend's methods with their parameters, commands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from nodevms.cli.prompt.commands import COMMANDS, signature
from nodevms.cli.prompt.session import Session

_PATH: Final = re.compile(r"((?:[\w$]+\.)*)([\w$]*)$")
_WORDS: Final = [
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "in",
    "instanceof",
    "let",
    "new",
    "null",
    "of",
    "return",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "yield",
]


class PromptCompleter(Completer):
    """Completes what stands before the cursor; runs nothing of what was typed."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(self, document: Document, _event: CompleteEvent) -> Iterable[Completion]:
        """Yield what may stand there; see prompt_toolkit's ``Completer``."""
        before = document.text_before_cursor
        if re.fullmatch(r"\s*\.\w*", before):
            typed = before.strip()
            for name, meaning in COMMANDS.items():
                if name.startswith(typed):
                    yield Completion(name, -len(typed), display_meta=meaning)
            return
        match = _PATH.search(before)
        if match is None or before[: match.start()].endswith((".", "'", '"', "`")):
            return
        path, typed = [name for name in match[1].split(".") if name], match[2]
        if not path and not typed:
            return
        methods = self._session.methods if path == ["client"] else {}
        names = methods or self._session.members(path)
        words = () if path else _WORDS
        for name in sorted({*names, *words}):
            if name.startswith(typed):
                shown = signature(name, methods[name]) if name in methods else name
                yield Completion(name, -len(typed), display=shown)
