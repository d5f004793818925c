"""Making a feed's files, and opening those that are there."""

from __future__ import annotations

from pathlib import Path

from nodevms.errors import StorageError
from nodevms.feed.errors import FeedDamagedError
from nodevms.feed.files import FileSystem
from nodevms.feed.keys import PUBLIC_KEY_BYTES, SECRET_KEY_BYTES, KeyPair
from nodevms.feed.sleep import (
    HEADER_BYTES,
    HEADERS,
    FeedFiles,
    SleepFile,
    feed_path,
    io_errors,
)


def create_files(
    files: FileSystem, directory: Path, prefix: str, key: bytes, secret: bytes | None = None
) -> FeedFiles:
    """Make the files of an empty feed, synced; the ``key`` file last.

    What a creation that crashed left behind (no key, no blocks) is written over. With no secret
    there is no ``secret_key`` file.

    Raises:
        StorageError: A feed is there already (code ``feed-exists``), or the disk failed.
    """
    with io_errors("make", directory):
        files.make_directory(directory)
    feed_files = FeedFiles(files, directory, prefix, writable=True, create=True)
    try:
        key_file = SleepFile(files, feed_path(directory, prefix, "key"), writable=True, create=True)
        used = feed_files.tree.size() > HEADER_BYTES or feed_files.signatures.size() > HEADER_BYTES
        if used or feed_files.data.size() or key_file.size():
            key_file.close()
            raise StorageError(f"There is a feed at {key_file.path} already.", code="feed-exists")
        for file, name in _headed(feed_files):
            file.write(0, HEADERS[name])
        feed_files.sync()
        if secret is not None:
            secret_path = feed_path(directory, prefix, "secret_key")
            secret_file = SleepFile(files, secret_path, writable=True, create=True)
            _write_key(secret_file, secret)
        _write_key(key_file, key)
        with io_errors("sync", directory):
            files.sync_directory(directory)
    except BaseException:
        feed_files.close()
        raise
    return feed_files


def open_files(
    files: FileSystem,
    directory: Path,
    prefix: str,
    *,
    writable: bool,
    key_pair: KeyPair | None = None,
) -> tuple[FeedFiles, bytes, KeyPair | None]:
    """Open the files of a feed and check keys and headers.

    Returns:
        The files, the public key, and for a writer the key pair.

    Raises:
        StorageError: A file is missing or cannot be read (a missing key file has the code
            ``feed-missing``), or is not what it should be (fatal).
    """
    key = _read_key(files, feed_path(directory, prefix, "key"), PUBLIC_KEY_BYTES)
    if not writable:
        key_pair = None
    elif key_pair is not None:
        key_pair = KeyPair.from_secret(key_pair.secret, key)
    else:
        secret = _read_key(files, feed_path(directory, prefix, "secret_key"), SECRET_KEY_BYTES)
        key_pair = KeyPair.from_secret(secret, key)
    return _open_headed(files, directory, prefix, writable=writable), key, key_pair


def open_foreign(files: FileSystem, directory: Path, prefix: str, key: bytes) -> FeedFiles:
    """Open, for writing, the files of a feed that somebody else signs.

    Raises:
        StorageError: As :func:`open_files`; with code ``feed-other-key`` when the feed that is
            there has another key.
    """
    path = feed_path(directory, prefix, "key")
    if _read_key(files, path, PUBLIC_KEY_BYTES) != key:
        raise StorageError(f"The feed at {path} has another key.", code="feed-other-key")
    return _open_headed(files, directory, prefix, writable=True)


def _open_headed(files: FileSystem, directory: Path, prefix: str, *, writable: bool) -> FeedFiles:
    """Open a feed's files and check that they begin as they should."""
    feed_files = FeedFiles(files, directory, prefix, writable=writable)
    try:
        for file, name in _headed(feed_files):
            # The bitfield is not: what differs from the right one is written again anyway.
            if name != "bitfield" and file.read(0, HEADER_BYTES) != HEADERS[name]:
                raise FeedDamagedError(f"{file.path} does not begin as a feed's file does.")
    except BaseException:
        feed_files.close()
        raise
    return feed_files


def _headed(feed_files: FeedFiles) -> list[tuple[SleepFile, str]]:
    """Return the open files that have a header, with their names in HEADERS."""
    headed = [(feed_files.tree, "tree"), (feed_files.signatures, "signatures")]
    if feed_files.bitfield is not None:
        headed.append((feed_files.bitfield, "bitfield"))
    return headed


def _write_key(file: SleepFile, value: bytes) -> None:
    """Write a key file, sync and close it."""
    try:
        file.write(0, value)
        file.sync()
    finally:
        file.close()


def _read_key(files: FileSystem, path: Path, size: int) -> bytes:
    """Return the bytes of a key file."""
    try:
        file = SleepFile(files, path, writable=False, create=False)
    except StorageError as error:
        raise StorageError(f"There is no feed's key at {path}.", code="feed-missing") from error
    try:
        value = file.read(0, size + 1)
    finally:
        file.close()
    if len(value) != size:
        raise FeedDamagedError(f"{path} does not hold a key of {size} bytes.")
    return value
