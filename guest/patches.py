"""Our changes to sources of others: each names the one place that it replaces."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def apply(path: Path, changes: Iterable[tuple[str, str]]) -> None:
    """Makes changes to a file, which must have each old text exactly once."""
    text = path.read_text()
    for old, new in changes:
        if text.count(old) != 1:
            raise SystemExit(f"{path.name} does not have what is to be changed in it once: {old!r}")
        text = text.replace(old, new)
    path.write_text(text)
