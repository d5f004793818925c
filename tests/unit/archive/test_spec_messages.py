"""docs/spec-state.md has the message of every refusal that a script can be given."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from nodevms.archive import (
    errors,
    file_lookups,
    file_requests,
    file_rules,
    files,
    overlay,
    paths,
    room,
)

PAGE = (Path(__file__).parents[3] / "docs" / "spec-state.md").read_text()
REFUSALS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.FilesError)
}


def messages(module: object) -> list[str]:
    """Return what a module raises, with P, N, M and `start` for what is put in."""
    tree = ast.parse(Path(module.__file__).read_text())  # type: ignore[attr-defined]
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if name in REFUSALS or name == "_exceed":
            found.append(spelled(node.args[0]))
    return found


def spelled(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    assert isinstance(node, ast.JoinedStr)
    text = ast.unparse(node)[2:-1]
    text = text.replace("{PATH_BYTES_MAX}", "4096").replace("{NAME_BYTES_MAX}", "255")
    text = text.replace("{LISTING_BYTES_MAX:,}", "67,108,864")
    text = text.replace("{parsed.name}", "NAME").replace("{name}", "start")
    text = re.sub(r"\{self\.[\w.]+(:,)?\}", "N", text)
    text = re.sub(r"\{(size|paths):,\}", "M", text)
    return re.sub(r"\{\w+\}", "P", text)


def test_every_message_is_on_the_page() -> None:
    modules = (file_rules, file_lookups, files, file_requests, overlay, paths, room)
    found = [text for module in modules for text in messages(module)]
    assert len(found) > 20
    for text in found:
        assert f"`{text}`" in PAGE, text
