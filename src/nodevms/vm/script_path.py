"""Which file was meant by a path that leads to no script: what a Node developer would expect."""

from __future__ import annotations

import difflib
import json
from itertools import islice
from pathlib import Path
from typing import Final

from nodevms.feed import read_start

PACKAGE_BYTES_MAX: Final = 1024 * 1024
NAMES_MAX: Final = 1000
_ENDINGS: Final = (".js", ".cjs", ".mjs")


def advice_on_missing(path: Path) -> str | None:
    """Return a sentence that names the script that was probably meant, or None.

    Args:
        path: Where nothing is.
    """
    try:
        names = [entry.name for entry in islice(path.parent.iterdir(), NAMES_MAX)]
    except (OSError, ValueError):
        return None
    scripts = [name for name in names if name.endswith(_ENDINGS)]
    near = [path.name + ending for ending in _ENDINGS if path.name + ending in scripts]
    near += difflib.get_close_matches(path.name, scripts, n=1)
    return f"Did you mean {path.with_name(near[0])}?" if near else None


def advice_on_folder(path: Path) -> str:
    """Return a sentence that names the script in a folder, as its ``package.json`` says.

    Args:
        path: The folder.
    """
    for name in (_main_of(path / "package.json"), "index.js"):
        try:
            if name is not None and (path / name).is_file():
                return f"Name the script in it, such as {path / name}."
        except (OSError, ValueError):
            continue
    return "Name the script in it."


def _main_of(package: Path) -> str | None:
    try:
        described = json.loads(read_start(package, PACKAGE_BYTES_MAX))
    except (OSError, ValueError, RecursionError):
        return None
    main = described.get("main") if isinstance(described, dict) else None
    return main if isinstance(main, str) else None
