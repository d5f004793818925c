"""Evidence of forks on disk: written once, synced, never over something else.

See :mod:`nodevms.feed.forks` for what it proves and docs/spec-fork.md for the text.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodevms.errors import CouldNotCheckError, StorageError
from nodevms.feed.errors import FeedFalseError
from nodevms.feed.files import read_start
from nodevms.feed.forks import EVIDENCE_BYTES_MAX, ForkEvidence, fork_error
from nodevms.feed.sleep import io_errors

if TYPE_CHECKING:
    from nodevms.feed.heads import ForkError

SUFFIX: Final = ".fork.json"
_SAME_NAME_MAX = 100


def keep_evidence(folder: Path, evidence: ForkEvidence) -> Path:
    """Write evidence into a folder, which is made if needed, and return its path when it is synced.

    The name tells the key and both lengths and ends in ``.fork.json``. Evidence that is there
    already is left as it is; nothing is ever written over.

    Raises:
        StorageError: Writing failed.
    """
    text = evidence.to_json()
    lengths = f"{evidence.shorter.length}-{evidence.longer.length}"
    name = f"{_start(evidence.key)}{lengths}-{blake2b(text, digest_size=4).hexdigest()}"
    with io_errors("keep evidence in", folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(_SAME_NAME_MAX):
            path = folder / f"{name}{f'-{number}' if number else ''}{SUFFIX}"
            if _write_new(path, text) or _holds(path, text):
                return path
    raise StorageError(f"{folder} is full of other files with the name {name}.")


def read_evidence(path: Path) -> ForkEvidence:
    """Return the evidence in a file; :meth:`ForkEvidence.check` says what it is worth.

    Raises:
        CouldNotCheckError: The file cannot be read.
        FeedFalseError: It holds no evidence (code ``fork-unproved``).
    """
    try:
        text = read_start(path, EVIDENCE_BYTES_MAX + 1)
    except OSError as error:
        raise CouldNotCheckError(f"Could not read {path}: {error.strerror or error}.") from error
    return ForkEvidence.from_json(text)


def known_fork(folder: Path, key: bytes) -> ForkError | None:
    """Return the error for a fork of this feed whose evidence a folder keeps, None if it has none.

    What is no evidence, or proves nothing of this key, is passed over: anybody may have put it
    there.
    """
    with suppress(OSError):
        for path in islice(folder.glob(f"{_start(key)}*{SUFFIX}"), _SAME_NAME_MAX):
            with suppress(CouldNotCheckError, FeedFalseError):
                evidence = read_evidence(path)
                evidence.check()
                if evidence.key == key:
                    error = fork_error(evidence, old=evidence.shorter, new=evidence.longer)
                    error.hint = f"Both signed heads are kept in {path}."
                    return error
    return None


def _start(key: bytes) -> str:
    return f"{key.hex()[:16]}-"


def _write_new(path: Path, text: bytes) -> bool:
    """Write a file that is whole as soon as it has its name; False if the name is taken."""
    started = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    fd = os.open(started, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(started, path)
    except FileExistsError:
        return False
    finally:
        started.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _holds(path: Path, text: bytes) -> bool:
    try:
        return read_start(path, EVIDENCE_BYTES_MAX + 1) == text
    except OSError:
        return False
