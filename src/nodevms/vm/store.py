"""A backend's directory, open for writing: the log decides, everything else follows it.

What is trusted: the log's signed entries and the signed contents. The index of the files is
derived from them and is rebuilt whenever it disagrees.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, suppress
from typing import Protocol, TypeVar

from nodevms.archive import FeedContents, State, create_drive, remove_index
from nodevms.errors import StorageError
from nodevms.feed import Feed, Journal, KeyPair, dat_url
from nodevms.feed.sleep import io_errors
from nodevms.vm.consistency import check_consistency, drive_publisher
from nodevms.vm.directory import (
    DIRECTORY_FORMAT,
    LOG_PREFIX,
    Description,
    Layout,
    storage_errors,
    sync_folder,
    write_description,
)
from nodevms.vm.entries import Entry, Init, Upgrade, decode
from nodevms.vm.errors import DirectoryError
from nodevms.vm.indexing import Progress, open_index
from nodevms.vm.writer_lock import WriterLock

_LOG = logging.getLogger("nodevms.store")


class Store:
    """The feeds and the index of one backend, with the lock of their one writer held."""

    def __init__(
        self,
        layout: Layout,
        lock: WriterLock,
        *,
        log: Feed,
        metadata: Feed,
        content: Feed,
        state: State,
        journal: Journal,
    ) -> None:
        self.layout = layout
        self.log = log
        self.metadata = metadata
        self.content = content
        self.contents = FeedContents(content)
        self.state = state
        self.publisher = drive_publisher(metadata, content)
        self._lock = lock
        self._journal = journal
        self._index_is_damaged = False

    @property
    def log_url(self) -> str:
        """The call log's ``dat://`` URL."""
        return dat_url(self.log.key)

    @property
    def files_url(self) -> str:
        """The published drive's ``dat://`` URL."""
        return dat_url(self.metadata.key)

    @classmethod
    def create(
        cls, layout: Layout, lock: WriterLock, log_keys: KeyPair, files_keys: KeyPair
    ) -> Store:
        """Fill a new backend's directory with empty feeds.

        Args:
            layout: The directory; it holds nothing but the lock.
            lock: Its lock; the store gives it back when it is closed.
            log_keys: The call log's keys.
            files_keys: The drive's keys.

        Raises:
            StorageError: It cannot be written.
        """
        with storage_errors(layout.root):
            for folder in (layout.metadata, layout.content):
                folder.mkdir(parents=True)
            sync_folder(layout.metadata.parent)
        journal, content_keys = layout.open_journal(), files_keys.content_key_pair()
        with ExitStack() as opened:
            log = _kept(opened, Feed.create(layout.root, LOG_PREFIX, log_keys, files=journal))
            metadata = _kept(opened, Feed.create(layout.metadata, "", files_keys))
            content = _kept(opened, Feed.create(layout.content, "", content_keys, files=journal))
            create_drive(metadata, content.key)
            state = _kept(opened, State.open(layout.state))
            store = cls(
                layout,
                lock,
                log=log,
                metadata=metadata,
                content=content,
                state=state,
                journal=journal,
            )
            store._begin_journal()
            opened.pop_all()
        return store

    @classmethod
    def open(
        cls, layout: Layout, description: Description, *, progress: Progress | None = None
    ) -> Store:
        """Open an existing backend's directory and bring its index up to the log.

        Raises:
            LockedError: Another process has it open.
            StorageError: It is damaged or cannot be written.
            DirectoryError: Its keys are not those that ``backend.json`` names.
        """
        lock, journal = WriterLock(layout), layout.open_journal()
        with ExitStack() as opened:
            opened.callback(lock.release)
            check_consistency(layout)
            with io_errors("redo", layout.journal):
                journal.redo()
            log = _kept(opened, Feed.open(layout.root, LOG_PREFIX, writable=True, files=journal))
            metadata = _kept(opened, Feed.open(layout.metadata, "", writable=True))
            content = _kept(opened, Feed.open(layout.content, "", writable=True, files=journal))
            _check_keys(layout, description, log, metadata)
            store = cls(
                layout,
                lock,
                log=log,
                metadata=metadata,
                content=content,
                state=_kept(opened, open_index(layout, log, progress)),
                journal=journal,
            )
            store._begin_journal()
            opened.pop_all()
        return store

    def describe(self) -> None:
        """Write ``backend.json``: from now on the directory is a backend's."""
        write_description(
            self.layout,
            Description(
                format=DIRECTORY_FORMAT,
                call_log=self.log.key.hex(),
                files=self.metadata.key.hex(),
            ),
        )

    def write(self, blocks: list[bytes]) -> None:
        """Make the contents and then the entries of a batch last: at most two syncs.

        In this order, and not both at once, because what is written may reach the disk before it
        is synced, and no entry may be there without its contents.

        Raises:
            StorageError: Something was not written or not synced; the store must be reopened.
        """
        if self.contents.commit():
            self.content.sync()
        self.log.append(blocks)
        self.log.sync()

    def index(self) -> None:
        """Bring the index of the files up to the synced log; no answer needs to wait for it.

        Raises:
            StorageError: Nothing was written; the store must be reopened.
        """
        self.state.flush(self.log.synced_length)

    def write_start(self, seq: int, block: bytes, *, brings_code: bool) -> None:
        """Make a start entry last, and remember where the running code stands.

        Raises:
            StorageError: As :meth:`write`.
        """
        if brings_code:
            self.state.set_mark(seq)
        self.write([block])
        self.index()

    def first_and_code(self) -> tuple[Init, str]:
        """Return the log's first entry and the code that its last init or upgrade brought.

        Raises:
            StorageError: The log does not begin with an init entry. Fatal.
        """
        first, newest = self.entry(0), self.entry(self.state.mark)
        if not isinstance(first, Init) or not isinstance(newest, Init | Upgrade):
            raise StorageError("the call log does not begin with an init entry", fatal=True)
        return first, newest.code

    def entry(self, seq: int) -> Entry:
        """Read one entry of the log."""
        return decode(self.log.get(seq))

    def distrust_index(self) -> None:
        """Have the index made again by the next start, because damage was found in it."""
        self._index_is_damaged = True

    def close(self) -> None:
        """Close all files and give the lock back, whatever the disk says to it."""
        try:
            self._journal.end()
        except OSError as error:
            _LOG.error("what the journal holds is written again at the next start: %s", error)
        with suppress(StorageError):  # what the index lacks is read from the log again
            self.state.flush(self.log.synced_length, force=True)
        for part in (self.state, self.log, self.metadata, self.content):
            with suppress(StorageError):  # all that matters was synced
                part.close()
        try:
            if self._index_is_damaged:
                remove_index(self.layout.state)
        finally:
            self._lock.release()

    def _begin_journal(self) -> None:
        with io_errors("make", self.layout.journal):
            self._journal.begin()


def _check_keys(layout: Layout, description: Description, log: Feed, metadata: Feed) -> None:
    if (log.key.hex(), metadata.key.hex()) != (description.call_log, description.files):
        raise DirectoryError(
            f"the feeds in {layout.root} are not those that backend.json names",
            code="directory-foreign",
        )
    if log.length == 0:
        raise StorageError(
            f"the call log in {layout.root} is empty", fatal=True, code="feed-damaged"
        )


class _Closable(Protocol):
    def close(self) -> None: ...


_Part = TypeVar("_Part", bound=_Closable)


def _kept(opened: ExitStack, part: _Part) -> _Part:
    """Have a part closed if opening the others fails."""
    opened.callback(part.close)
    return part
