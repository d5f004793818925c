"""What lies in a folder that programs under test write, perhaps at this moment."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

KEPT_BY_PROGRAMS = (".dat", ".nodevms")


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder by relative path, without what Dat programs keep there.

    What vanishes while it is looked at is left out: a program may remove a folder and make it anew.
    """
    found: dict[str, bytes] = {}
    for directory, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in KEPT_BY_PROGRAMS]
        for path in (Path(directory, name) for name in names):
            with suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found
