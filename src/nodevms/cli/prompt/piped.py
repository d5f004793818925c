"""Inputs from something that is no terminal: a pipe or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nodevms.cli.prompt.commands import is_command
from nodevms.cli.prompt.completeness import Check, needs_more


def inputs_of(lines: Iterable[str], check: Check) -> Iterator[str]:
    """Yield one whole input after the other; what is unfinished at the end is the last.

    Args:
        lines: The lines, with or without their ends.
        check: Compiles a text without running it; see `Session.check`.
    """
    text = ""
    for line in lines:
        text += line.rstrip("\r\n")
        if not text.strip():
            text = ""
        elif is_command(text) or not needs_more(text, check):
            yield text
            text = ""
        else:
            text += "\n"
    if text.strip():
        yield text
