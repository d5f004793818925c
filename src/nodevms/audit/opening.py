"""Opening one feed for an audit: one at rest, one that a backend is writing, or a fetched copy.

What is false stays false in each of them. What differs is which missing bytes an honest crash or an
honest writer explains.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from nodevms.audit.deadline import OutOfTimeError
from nodevms.audit.divergence import EntryFalseError, EntryUncheckedError
from nodevms.errors import CouldNotCheckError, NodeVMSError, ProvedFalseError, StorageError
from nodevms.feed import Feed, FileSystem, Head, audit_feed, read_start
from nodevms.feed.files import OSFiles
from nodevms.feed.keys import PUBLIC_KEY_BYTES
from nodevms.feed.recovery import torn_after
from nodevms.feed.sleep import FeedFiles
from nodevms.feed.whole_prefix import whole_length
from nodevms.vm.directory import LOCK_BYTES_MAX, LOG_PREFIX, Layout
from nodevms.vm.writer_lock import is_locked

CALL_LOG: Final = "call log"
ARCHIVE: Final = "files archive"
CONTENTS: Final = "files' contents"

_LOOKS_MAX: Final = 5
_PAUSE_S: Final = 0.1

BytesSeen = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one feed lies.

    Attributes:
        name: What it is called to people.
        layout: The whole directory.
    """

    name: str
    layout: Layout

    @property
    def directory(self) -> Path:
        """The folder of its files."""
        folders = {ARCHIVE: self.layout.metadata, CONTENTS: self.layout.content}
        return folders.get(self.name, self.layout.root)

    @property
    def prefix(self) -> str:
        """What the names of its files begin with."""
        return LOG_PREFIX if self.name == CALL_LOG else ""


def open_checked(
    place: Place,
    seen: BytesSeen,
    *,
    allow_part: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Feed, Head]:
    """Check all of a feed and open it for reading.

    Of a feed that is being written, everything below its head at this moment is checked. Any
    other must end with its last signature.

    Args:
        place: The feed.
        seen: Called with its name, bytes checked and bytes in all.
        allow_part: Of a copy that is not complete, check the beginning that is whole.
        pause: Waits for so many seconds while a writer ends what it began.

    Raises:
        ProvedFalseError: Bytes contradict each other or the key.
        CouldNotCheckError: Bytes are missing or cannot be read.
    """
    try:
        for _ in range(_LOOKS_MAX):
            found = _last_writer(place.layout)
            if (whole := _whole_part(place, allow_part=allow_part)) is not None:
                return _as_far_as_whole(place, seen, whole)
            if is_locked(place.layout):
                break
            try:
                return _at_rest(place, seen, place.layout.open_journal().redone(holes_only=True))
            except (ProvedFalseError, CouldNotCheckError, StorageError):
                if not is_locked(place.layout) and _last_writer(place.layout) == found:
                    raise  # nobody wrote to it meanwhile
        # A download may have begun meanwhile.
        if (whole := _whole_part(place, allow_part=allow_part)) is not None:
            return _as_far_as_whole(place, seen, whole)
        return _in_use(place, seen, pause)
    except OutOfTimeError:
        raise
    except (OSError, StorageError) as error:
        raise _unreadable(place, error) from error
    except (ProvedFalseError, CouldNotCheckError) as error:
        raise _about(place, error) from error


def _whole_part(place: Place, *, allow_part: bool) -> int | None:
    """Return how much is whole of a copy that still comes over the network.

    None for what is whole and at rest, and for a backend's own directory.

    Raises:
        CouldNotCheckError: It is at rest and not whole.
    """
    key = place.directory / f"{place.prefix}key"
    if _is_own(place.layout) or not key.exists():
        return None
    locked = is_locked(place.layout)
    whole = whole_length(place.directory, place.prefix)
    if whole is None or locked:
        return whole
    signed = _signed_length(place, OSFiles())
    if whole < signed and allow_part:
        return whole
    if whole < signed:
        raise EntryUncheckedError(
            f"the copy of the {place.name} is not complete: {signed} blocks were signed, and the "
            f"first {whole} are here",
            entry=None,
            code="feed-incomplete",
            hint="Let nodevms mirror, or verify dat://… --dir, go on with it, or accept the part "
            "that is whole with --allow-older.",
        )
    return None


def _as_far_as_whole(place: Place, seen: BytesSeen, length: int) -> tuple[Feed, Head]:
    """Check the beginning of a copy, whatever stands behind it."""
    head = _audit(place, seen, _key(place), length=length, exact=False)
    return Feed.open_prefix(place.directory, place.prefix, length), head


def _in_use(place: Place, seen: BytesSeen, pause: Callable[[float], None]) -> tuple[Feed, Head]:
    """Check a feed while its writer goes on, or while it begins with what a crash left.

    A signature is written after everything that it covers, so whatever was signed when we looked
    is whole, but for the instant in which a signature itself is half there. What only the journal
    has until the writer has redone it was signed and synced as well.
    """
    key = _key(place)
    files: FileSystem | None = None
    for look in range(_LOOKS_MAX):
        if look:
            pause(_PAUSE_S)
        try:
            files = place.layout.open_journal().redone(holes_only=True)
            signed = _signed_length(place, files)
            feed = Feed.open(place.directory, place.prefix, writable=False, files=files)
        except StorageError as error:
            failure = error
            continue
        if feed.length < signed:
            feed.close()
            continue
        try:
            return feed, _audit(place, seen, key, length=feed.length, exact=False, files=files)
        except BaseException:
            feed.close()
            raise
    if files is None:  # the journal itself cannot be read
        raise failure
    # It stays so: the last batch is not one that is being written.
    _audit(place, seen, key, length=_signed_length(place, files), exact=False, files=files)
    raise CouldNotCheckError(
        "it changes faster than it can be looked at", code="feed-busy", hint="Try again."
    )


def _last_writer(layout: Layout) -> tuple[int, bytes]:
    """Return what tells one writer of a directory from the next: each writes into the lock."""
    try:
        return layout.lock.stat().st_mtime_ns, read_start(layout.lock, LOCK_BYTES_MAX)
    except OSError:  # none, or none of ours
        return 0, b""


def _at_rest(place: Place, seen: BytesSeen, files: FileSystem) -> tuple[Feed, Head]:
    key = _key(place)
    try:
        head = _audit(place, seen, key, files=files)
    except ProvedFalseError as error:
        if error.code == "feed-unsigned" or _is_torn(place, key, files):
            raise _torn(place, error) from error
        raise
    return Feed.open(place.directory, place.prefix, writable=False, files=files), head


def _audit(
    place: Place,
    seen: BytesSeen,
    key: bytes,
    *,
    length: int | None = None,
    exact: bool = True,
    files: FileSystem | None = None,
) -> Head:
    total = _data_bytes(place)
    done = 0

    def count(_: int, block: bytes) -> None:
        nonlocal done
        done += len(block)
        seen(place.name, done, total)

    return audit_feed(
        place.directory, place.prefix, key, count, length=length, exact=exact, files=files
    )


def _is_torn(place: Place, key: bytes, file_system: FileSystem) -> bool:
    """Tell whether a power cut explains what is wrong with a backend's own directory."""
    if not _is_own(place.layout):
        return False
    files = FeedFiles(file_system, place.directory, place.prefix)
    try:
        before = torn_after(files, key)
    finally:
        files.close()
    if before is None:
        return False
    try:
        audit_feed(
            place.directory, place.prefix, key, length=before, exact=False, files=file_system
        )
    except ProvedFalseError:
        return False
    return True


def _torn(place: Place, error: NodeVMSError) -> CouldNotCheckError:
    own = _is_own(place.layout)
    return CouldNotCheckError(
        str(error),
        code="feed-torn",
        hint="After a crash, start the backend once: it cuts what was not signed."
        if own
        else "If a fetch broke off, fetch again: nodevms verify URL --dir DIR.",
    )


def _is_own(layout: Layout) -> bool:
    """Tell a backend's own directory from a copy."""
    return (layout.root / f"{LOG_PREFIX}secret_key").exists()


def _key(place: Place) -> bytes:
    path = place.directory / f"{place.prefix}key"
    try:
        key = read_start(path, PUBLIC_KEY_BYTES + 1)
    except FileNotFoundError:
        raise CouldNotCheckError(
            f"there is no {path}",
            code="feed-missing",
            hint="DIR is the directory that exec names, or one that verify --dir filled.",
        ) from None
    if len(key) != PUBLIC_KEY_BYTES:
        raise CouldNotCheckError(f"{path} does not hold a key of 32 bytes", code="feed-missing")
    return key


def _signed_length(place: Place, file_system: FileSystem) -> int:
    files = FeedFiles(file_system, place.directory, place.prefix)
    try:
        return files.signed_length()
    finally:
        files.close()


def _data_bytes(place: Place) -> int:
    path = place.directory / f"{place.prefix}data"
    return path.stat().st_size if path.exists() else 0


def _unreadable(place: Place, error: Exception) -> CouldNotCheckError:
    why = str(error)
    if isinstance(error, OSError) and error.filename:
        why = f"{error.filename}: {error.strerror}"
    return CouldNotCheckError(f"the {place.name} cannot be read: {why}", code="feed-unreadable")


def _about(place: Place, error: NodeVMSError) -> NodeVMSError:
    block = getattr(error, "block", None)
    unit = "entry" if place.name == CALL_LOG else "block"
    where = f"the {place.name}" if block is None else f"the {place.name}, {unit} {block}"
    entry = block if place.name == CALL_LOG else None
    kind = EntryFalseError if isinstance(error, ProvedFalseError) else EntryUncheckedError
    about = kind(f"{where}: {error}", entry=entry, code=error.code, hint=error.hint)
    about.block = block
    return about
