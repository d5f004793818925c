r"""The one spelling of a path in the files archive (part of host API 1).

Scripts hand over any string. A path is accepted when its canonical form is beyond doubt and
refused otherwise; nothing is guessed, resolved or repaired. The rules, in this order:

1. The text has no lone surrogate and at most 4,096 bytes in UTF-8.
2. It has no backslash and no control character (U+0000 to U+001F, U+007F to U+009F).
3. It is cut at each ``/``. Empty components and ``.`` are dropped, so ``photos/x``,
   ``/photos/x``, ``//photos/./x`` and ``/photos/x/`` are one path, and ``""`` is the root.
4. No component is ``..``, and none is longer than 255 bytes in UTF-8.
5. The canonical form is ``/`` for the root, else a ``/`` before each component. It has at most
   4,096 bytes in UTF-8.

Unicode is not normalised: two spellings of "é" are two paths. Comparing code points of canonical
paths gives the same order as comparing their UTF-8 bytes, which is the order used everywhere.
"""

from __future__ import annotations

import re

from nodevms.archive.errors import InvalidPathError

ROOT = "/"
PATH_BYTES_MAX = 4096
NAME_BYTES_MAX = 255

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_CANONICAL_ASCII = re.compile(
    r"(?:/(?!\.{1,2}(?:/|\Z))[\x20-\x2e\x30-\x5b\x5d-\x7e]{1,255})+", re.ASCII
)


def canonical_path(text: str) -> str:
    """Return the canonical form of a path as a script wrote it.

    Guarantees that ``canonical_path(canonical_path(t)) == canonical_path(t)``.

    Args:
        text: Any string, hostile ones and lone surrogates included.

    Raises:
        InvalidPathError: The text breaks a rule of this module's grammar.
    """
    if len(text) <= PATH_BYTES_MAX and _CANONICAL_ASCII.fullmatch(text):
        return text
    return _slow_canonical(text)


def is_canonical(text: str) -> bool:
    """Tell whether the text is a path in canonical form."""
    try:
        return canonical_path(text) == text
    except InvalidPathError:
        return False


def _slow_canonical(text: str) -> str:
    if _bytes(text) > PATH_BYTES_MAX:
        raise InvalidPathError(f"a path has at most {PATH_BYTES_MAX} bytes")
    if _FORBIDDEN.search(text):
        raise InvalidPathError("a path has no backslash and no control character")
    names = [name for name in text.split("/") if name not in {"", "."}]
    for name in names:
        if name == "..":
            raise InvalidPathError('".." is refused in a path')
        if _bytes(name) > NAME_BYTES_MAX:
            raise InvalidPathError(f"a name in a path has at most {NAME_BYTES_MAX} bytes")
    path = "/" + "/".join(names)
    if _bytes(path) > PATH_BYTES_MAX:
        raise InvalidPathError(f"a path has at most {PATH_BYTES_MAX} bytes")
    return path


def _bytes(text: str) -> int:
    # A code point takes at least one byte, so the length check spares encoding a huge text.
    if len(text) > PATH_BYTES_MAX:
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        raise InvalidPathError("a path has no lone surrogates") from None


def split_path(path: str) -> tuple[str, str]:
    """Return (parent folder, name) of a canonical path; the root gives ``("/", "")``."""
    parent, _, name = path.rpartition("/")
    return parent or ROOT, name


def join_path(folder: str, name: str) -> str:
    """Return the canonical path of a name in a folder, both canonical."""
    return f"/{name}" if folder == ROOT else f"{folder}/{name}"


def is_inside(path: str, folder: str) -> bool:
    """Tell whether a canonical path lies below a folder (a folder is not inside itself)."""
    return path != folder and (folder == ROOT or path.startswith(folder + "/"))


def component_count(path: str) -> int:
    """Return the number of components of a canonical path; the root has none."""
    return 0 if path == ROOT else path.count("/")
