"""Which of a drive's paths this machine can hold, and under which names two of them are one.

A drive's paths were checked when they were read: absolute, UTF-8, no empty name, no ``.`` and no
``..``. What is left is what a file system does not take, and the clone's own folder.
"""

from __future__ import annotations

import unicodedata
from typing import Final

OWN_FOLDER: Final = ".dat"
NAME_BYTES_MAX: Final = 255
DEPTH_MAX: Final = 128

Names = tuple[str, ...]


def unwritable(names: Names) -> str | None:
    """Return why a path cannot be written here, or None if it can."""
    if not names:
        return "it is the drive's root"
    if len(names) > DEPTH_MAX:
        return f"it lies deeper than {DEPTH_MAX} folders"
    if folded(names[0]) == OWN_FOLDER:
        return f"{OWN_FOLDER} is the clone's own folder"
    for name in names:
        if "\x00" in name:
            return "a name has a NUL byte"
        if len(name.encode()) > NAME_BYTES_MAX:
            return f"a name is longer than {NAME_BYTES_MAX} bytes"
    return None


def folded(name: str) -> str:
    """Return the form in which file systems that fold case or Unicode may compare a name."""
    kept = (char for char in name if unicodedata.category(char) != "Cf")
    decomposed = unicodedata.normalize("NFKD", "".join(kept))
    return unicodedata.normalize("NFKC", decomposed.casefold()).rstrip(" .")
