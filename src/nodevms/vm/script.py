"""The backend script as a file: read once, checked, and named by its hash."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodevms.vm.errors import ScriptError
from nodevms.vm.script_path import advice_on_folder, advice_on_missing

SCRIPT_BYTES_MAX: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Script:
    """A script's source text, at most 1 MiB in UTF-8.

    Raises:
        ScriptError: It is longer, or has a lone surrogate.

    Attributes:
        name: The file's name, for people only: it is not part of the log.
        code: The text, exactly as it is logged and run.
    """

    name: str
    code: str

    def __post_init__(self) -> None:
        try:
            size = len(self.code.encode())
        except UnicodeEncodeError:
            raise ScriptError(
                f"{self.name}: the script has a lone surrogate", code="script-not-utf8"
            ) from None
        if size > SCRIPT_BYTES_MAX:
            raise _too_large(self.name)

    @property
    def hash(self) -> str:
        """The SHA-256 of the text in UTF-8, in hex."""
        return code_hash(self.code)


def code_hash(code: str) -> str:
    """Return the SHA-256 of a script's text in UTF-8, in hex."""
    return hashlib.sha256(code.encode()).hexdigest()


def read_script(path: Path) -> Script:
    """Read a script file.

    Raises:
        ScriptError: It is missing, no regular file, longer than 1 MiB, or not UTF-8.
    """
    try:
        # Not blocking, so that a pipe to which nobody writes can be refused.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(SCRIPT_BYTES_MAX + 1) if stat.S_ISREG(mode) else None
    except FileNotFoundError:
        raise ScriptError(
            f"{path}: no such script", code="script-missing", hint=advice_on_missing(path)
        ) from None
    except IsADirectoryError:
        raise ScriptError(
            f"{path} is a folder, not a script",
            code="script-unreadable",
            hint=advice_on_folder(path),
        ) from None
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}", code="script-unreadable") from None
    except ValueError:
        raise ScriptError("a path cannot hold a NUL", code="script-missing") from None
    if data is None:
        raise ScriptError(f"{path}: the script is no regular file", code="script-unreadable")
    if len(data) > SCRIPT_BYTES_MAX:
        raise _too_large(path)
    try:
        code = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScriptError(
            f"{path}:{line}: the script is not UTF-8 text (byte {error.start})",
            code="script-not-utf8",
        ) from None
    return Script(_shown(path.name), code)


def _shown(name: str) -> str:
    """Return a file's name as text that can be printed and logged."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def _too_large(name: Path | str) -> ScriptError:
    return ScriptError(
        f"{name}: the script is larger than {SCRIPT_BYTES_MAX:,} bytes",
        code="script-too-large",
        hint="Keep data in the backend's files, not in its script.",
    )
