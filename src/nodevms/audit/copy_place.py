"""A directory that holds a backend's three feeds as far as they came over the network.

It has the layout of a backend's own directory without its secrets, so that whatever reads that
reads this: ``nodevms verify DIR``, ``nodevms log DIR``. A copy that came over HTTP goes on here.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from nodevms.audit.feed_ties import NotALogError
from nodevms.errors import CouldNotCheckError, StorageError, UsageError
from nodevms.feed import PartialFeed, dat_url
from nodevms.feed.adoption import adopt
from nodevms.feed.files import UnlinkedFiles, read_start
from nodevms.feed.keys import PUBLIC_KEY_BYTES
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.writer_lock import WriterLock

_FILES: Final = UnlinkedFiles()
_BEGUN: Final = tuple(
    LOG_PREFIX + name for name in ("data", "tree", "signatures", "bitfield", "key")
)
"""What there may be of a copy that was killed as it began: its key is written last."""


class CopyPlace:
    """An open copy, locked against other processes. A context manager that closes it.

    Attributes:
        layout: The directory.
        evidence: The folder for what proves that a feed has two histories.
    """

    def __init__(self, directory: Path, log_key: bytes, *, evidence: Path | None = None) -> None:
        """Open a copy of this log's backend, or begin one in a new or empty directory.

        Args:
            directory: Where it is.
            log_key: The call log's public key.
            evidence: The folder for what proves a fork; by default one in the directory.

        Raises:
            UsageError: The directory holds something else.
            StorageError: It cannot be written, or another process has it open.
        """
        self.layout = Layout(directory)
        self.evidence = evidence or self.layout.evidence
        self._feeds: list[PartialFeed] = []
        _refuse_others(self.layout, log_key)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_writable(directory, error) from error
        self._lock = WriterLock(self.layout)

    def log(self, key: bytes) -> PartialFeed:
        """Open the call log."""
        return self._feed(self.layout.root, LOG_PREFIX, key)

    def metadata(self, key: bytes) -> PartialFeed:
        """Open the drive's metadata."""
        return self._feed(self.layout.metadata, "", key)

    def content(self, key: bytes) -> PartialFeed:
        """Open the contents."""
        return self._feed(self.layout.content, "", key)

    def close(self) -> None:
        """Close the feeds, and let other processes work on the copy."""
        self._close_feeds()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_feeds()
        if isinstance(error, NotALogError):
            self._remove()
        self._lock.release()

    def _close_feeds(self) -> None:
        while self._feeds:
            with suppress(StorageError):
                self._feeds.pop().close()

    def _remove(self) -> None:
        """Take away what came of something that is no log: the right URL may go here."""
        root = self.layout.root
        for name in reversed(_BEGUN):  # the key first: what is left without it is begun anew
            (root / name).unlink(missing_ok=True)
        self.layout.lock.unlink(missing_ok=True)
        with suppress(OSError):  # there are other things in it
            root.rmdir()

    def _feed(self, directory: Path, prefix: str, key: bytes) -> PartialFeed:
        if not _size(directory / f"{prefix}key"):
            feed = PartialFeed.create(directory, prefix, key, files=_FILES)
        else:
            if not (directory / f"{prefix}bitfield").exists():  # it came over HTTP
                adopt(directory, prefix, files=_FILES)
            feed = PartialFeed.open(directory, prefix, key, files=_FILES)
        self._feeds.append(feed)
        return feed


def _refuse_others(layout: Layout, log_key: bytes) -> None:
    root = layout.root
    if (root / f"{LOG_PREFIX}secret_key").exists():
        raise UsageError(
            f"{root} is a backend's own directory, not a copy",
            code="directory-foreign",
            hint="Choose another directory.",
        )
    try:
        found = read_start(root / f"{LOG_PREFIX}key", PUBLIC_KEY_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        found = b""
    except OSError as error:
        raise _not_writable(root, error) from error
    if not found:
        names = {path.name for path in root.iterdir()} if root.is_dir() else set()
        if root.exists() and (not root.is_dir() or names - {layout.lock.name, *_BEGUN}):
            raise UsageError(
                f"{root} is not empty and holds no copy",
                code="directory-foreign",
                hint="Choose an empty or new directory.",
            )
        return
    if found != log_key:
        raise UsageError(
            f"{root} holds a copy of another backend: {dat_url(found)}",
            code="directory-foreign",
            hint="Choose another directory.",
        )
    for folder in (layout.metadata.parent, layout.metadata, layout.content, layout.evidence):
        if folder.is_symlink():
            raise UsageError(f"{folder} is a link, and a copy has none", code="directory-foreign")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _not_writable(path: Path, error: OSError) -> CouldNotCheckError:
    return CouldNotCheckError(
        f"{path} cannot be written: {error.strerror}",
        code="not-writable",
        hint="Choose another directory.",
    )
