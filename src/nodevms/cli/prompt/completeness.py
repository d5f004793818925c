"""Whether an input goes on in the next line, as the engine's own parser finds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

Check = Callable[[str], tuple[str, str] | None]
_POSITION: Final = re.compile(r"<input>:(\d+):(\d+)")


def needs_more(text: str, check: Check) -> bool:
    """Tell whether a text is the beginning of an input and not yet a whole one.

    Args:
        text: What was typed so far.
        check: Compiles a text without running it; see `Session.check`.
    """
    unfinished = False
    for opening, closing in _readings(text):
        found = check(f"{opening}{text}{closing}")
        if found is None:
            return False
        unfinished = unfinished or _ends_too_early(text, opening, *found)
    return unfinished


def _readings(text: str) -> Iterator[tuple[str, str]]:
    """Yield what an input may mean: a program, an object, something that awaits."""
    yield "", ""
    if text.lstrip().startswith("{"):
        yield "(", "\n)"
    if "await" in text:
        yield "(async () => {\n", "\n})"
        if text.lstrip().startswith("{"):
            yield "(async () => (", "\n))"


def _ends_too_early(text: str, opening: str, message: str, stack: str) -> bool:
    found = _POSITION.search(stack)
    if found is None:
        return False
    code = f"\n{opening}{text}".encode("utf-8", "replace")  # the engine's line 1 is not ours
    lines = code.split(b"\n")
    before = sum(len(line) + 1 for line in lines[: int(found[1]) - 1])
    at = before + int(found[2]) - 1
    if message == "unexpected end of comment":
        return True
    if message.startswith("unexpected end of") and code[at : at + 1] == b"`":
        return True
    return at >= len(code.rstrip())
