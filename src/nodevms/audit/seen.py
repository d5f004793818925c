"""What this user has seen of each log: a rewritten or shortened history is noticed the next time.

A history that was rewritten as a whole replays cleanly; only somebody who saw the older one can
tell. So every verification keeps the leaf hashes of the entries it saw, 32 bytes each, in the
user's state folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import platformdirs

from nodevms.audit.divergence import EntryFalseError
from nodevms.errors import CouldNotCheckError, StorageError

LEAF_BYTES: Final = 32
_READ_LEAVES: Final = 4096


class SeenHead(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a log the last time.

    Attributes:
        length: Number of entries.
        root_hash: The signed root hash in hex.
        signature: The signature over it in hex.
        files: The drive's public key in hex.
        time_ms: When it was seen.
        leaves_sha256: SHA-256 of the leaf hashes, in hex: an accusation needs a memory that is
            whole. Filled in by :meth:`Memory.remember`.
    """

    length: int
    root_hash: str
    signature: str
    files: str
    time_ms: int
    leaves_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one log."""

    head: SeenHead
    leaves: Path

    def leaf(self, seq: int) -> bytes:
        """Return the leaf hash that entry ``seq`` had."""
        with self.leaves.open("rb") as file:
            file.seek(seq * LEAF_BYTES)
            return file.read(LEAF_BYTES)

    def check_whole(self) -> None:
        """Check that the leaf hashes are those that were written.

        Raises:
            CouldNotCheckError: They are not, and prove nothing.
        """
        found = _digest(self.leaves, self.head.length)
        if self.head.leaves_sha256 not in ("", found):
            raise _unreadable(self.leaves.parent, "the leaf hashes were changed")


def default_state_folder() -> Path:
    """Return the user's state folder for this program."""
    return Path(platformdirs.user_state_dir("nodevms", appauthor=False))


class Memory:
    """The user's memory of logs, one folder a log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "logs"

    def recall(self, key: bytes) -> Seen | None:
        """Return what was seen of a log, or None.

        Raises:
            CouldNotCheckError: The memory is damaged or cannot be read.
        """
        place = self._folder / key.hex()
        try:
            text = (place / "head.json").read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(place, str(error.strerror)) from error
        try:
            head = msgspec.json.decode(text, type=SeenHead)
            whole = (place / "leaves").stat().st_size >= head.length * LEAF_BYTES
        except (msgspec.DecodeError, OSError) as error:
            raise _unreadable(place, str(error)) from error
        if not whole:
            raise _unreadable(place, "leaf hashes are missing")
        return Seen(head, place / "leaves")

    def remember(self, key: bytes, head: SeenHead, leaf: Callable[[int], bytes]) -> None:
        """Keep what was just seen; a shorter head never replaces a longer one.

        Args:
            key: The log's public key.
            head: The signed head.
            leaf: Returns the leaf hash of an entry below the head's length.

        Raises:
            StorageError: The state folder cannot be written.
        """
        place = self._folder / key.hex()
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(place / "lock"):  # two verifications at once remember one after the other
                known = self.recall(key)
                start = 0 if known is None else known.head.length
                if start >= head.length:
                    return
                _write_leaves(place / "leaves", start, head.length, leaf)
                digest = _digest(place / "leaves", head.length)
                kept = msgspec.structs.replace(head, leaves_sha256=digest)
                _replace(place / "head.json", msgspec.json.encode(kept) + b"\n")
        except OSError as error:
            raise StorageError(
                f"what was seen of this log cannot be remembered: {place}: {error.strerror}",
                code="memory-not-writable",
            ) from error


def check_against_memory(
    seen: Seen,
    length: int,
    leaf: Callable[[int], bytes],
    *,
    allow_older: bool,
    from_others: bool = False,
) -> None:
    """Check that a log is the continuation of what was seen before.

    Args:
        seen: What was seen.
        length: The log's length now.
        leaf: Returns the leaf hash of an entry below that length.
        allow_older: Accept a log that is shorter but otherwise the same.
        from_others: Whoever had the log is not the backend: it may be behind.

    Raises:
        ProvedFalseError: An entry is another than before, or entries are gone.
        CouldNotCheckError: Entries are missing that another holder need not have.
    """
    common = min(seen.head.length, length)
    with seen.leaves.open("rb") as file:
        seq = 0
        while seq < common:
            chunk = file.read(min(_READ_LEAVES, common - seq) * LEAF_BYTES)
            for at in range(0, len(chunk), LEAF_BYTES):
                if chunk[at : at + LEAF_BYTES] != leaf(seq):
                    seen.check_whole()
                    raise EntryFalseError(
                        f"the log was rewritten: entry {seq} is not the one that was seen before "
                        f"(the log had {seen.head.length} entries then)",
                        entry=seq,
                        code="log-rewritten",
                    )
                seq += 1
    if length < seen.head.length and not allow_older:
        if from_others:
            raise behind(length, seen.head.length)
        raise shortened(length, seen.head.length)


def behind(length: int, before: int) -> CouldNotCheckError:
    """Return the error for a copy of a log that lacks entries which were seen before."""
    return CouldNotCheckError(
        f"this copy of the log is behind: it has {length} entries, and {before} were seen before",
        code="behind",
        hint="What it has agrees with what you saw. Ask the backend itself or another mirror for "
        "the rest, or accept an older log with --allow-older.",
    )


def shortened(length: int, before: int) -> EntryFalseError:
    """Return the error for a log that had more entries before."""
    return EntryFalseError(
        f"the log was shortened: it has {length} entries and had {before} before; "
        f"entry {length} is missing",
        entry=length,
        code="log-shortened",
        hint="If an old backup was restored in the open, --allow-older accepts it.",
    )


def _write_leaves(path: Path, start: int, end: int, leaf: Callable[[int], bytes]) -> None:
    with path.open("ab") as file:
        file.truncate(start * LEAF_BYTES)
        for seq in range(start, end):
            file.write(leaf(seq))
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path, length: int) -> str:
    digest, left = hashlib.sha256(), length * LEAF_BYTES
    with path.open("rb") as file:
        while left and (chunk := file.read(min(left, _READ_LEAVES * LEAF_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _unreadable(place: Path, why: str) -> CouldNotCheckError:
    return CouldNotCheckError(
        f"what was seen of this log before cannot be read: {place}: {why}",
        code="memory-unreadable",
        hint="Remove that folder to begin anew; older histories are then accepted.",
    )


def _replace(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
