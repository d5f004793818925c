"""The files of a backend, at any version, for reading: what scripts know as ``System.files``.

What is shown is what the log says. Whether the log is true is the verifier's question; contents
are compared with their SHA-256 whenever they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from nodevms.archive import (
    FeedContents,
    HistoryItem,
    Record,
    State,
    UnknownVersionError,
    canonical_path,
    content_pieces,
    read_content,
)
from nodevms.archive.errors import NotAFileError, NotAFolderError, NotFoundError
from nodevms.archive.file_lookups import ROOT_RECORD
from nodevms.archive.paths import ROOT, join_path
from nodevms.errors import CouldNotCheckError
from nodevms.feed import Feed, dat_url
from nodevms.vm.dat_archive_values import (
    ArchiveFile,
    DatArchiveInfo,
    FileStat,
    FolderPage,
    stat_of,
)
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.encodings import check_encoding, decode_content
from nodevms.vm.reading import readable_files, state_of
from nodevms.vm.store import Store

FILE_BYTES_MAX: Final = 256 * 1024 * 1024
HISTORY_ITEMS_MAX: Final = 1_000


class DatArchive:
    """Reads the files of one backend. Methods may be called from any thread.

    Made by :meth:`open`, or found as ``vm.files_archive``. It shows the newest version, unless it
    was made by :meth:`checkout`. A context manager that closes what :meth:`open` opened.

    Example:
        with DatArchive.open("./hello") as archive:
            print(archive.readdir("/"), archive.checkout(1).read_file("/counter", "json"))
    """

    def __init__(
        self,
        state: State,
        contents: FeedContents,
        info: Callable[[], DatArchiveInfo],
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Use `open`."""
        self._state = state
        self._contents = contents
        self._info = info
        self._close = close

    @classmethod
    def open(cls, directory: Path | str) -> DatArchive:
        """Read the files of a backend's directory, which may be in use, or of a fetched copy.

        The log is gone through once, about 0.3 ms a change; what it leads to is kept in a
        temporary file.

        Raises:
            StorageError: There is no backend, or it is damaged.
            ProvedFalseError: The log's entries do not follow from each other.
        """
        layout = Layout(Path(directory))
        files = readable_files(layout)
        with (
            Feed.open(layout.metadata, "", writable=False) as metadata,
            Feed.open(layout.root, LOG_PREFIX, writable=False, files=files) as log,
        ):
            state, title, length = *state_of(log), log.length
            url = dat_url(metadata.key)
        try:
            content = Feed.open(layout.content, "", writable=False, files=files)
        except BaseException:
            state.close()
            raise

        def close() -> None:
            content.close()
            state.close()

        info = DatArchiveInfo(url, title, state.version, length)
        return cls(state, FeedContents(content), lambda: info, close)

    @classmethod
    def of_store(cls, store: Store, title: str) -> DatArchive:
        """Return the files of a running backend, as its synced entries leave them."""
        state, log = store.state, store.log

        def info() -> DatArchiveInfo:
            now = log.synced_length
            return DatArchiveInfo(store.files_url, title, state.version_at(now), now)

        return cls(state, store.contents, info)

    @property
    def url(self) -> str:
        """The published drive's ``dat://`` URL."""
        return self._info().url

    @property
    def version(self) -> int:
        """The filesVersion that is shown: how many changes had been made."""
        return self._info().version

    def get_info(self) -> DatArchiveInfo:
        """Return URL, key, title and version."""
        return self._info()

    def checkout(self, version: int) -> DatArchive:
        """Return the files as they were at an older filesVersion. It is closed with this one.

        Raises:
            UnknownVersionError: There is no such version yet.
        """
        newest = self._info()
        if not 0 <= version <= newest.version:
            raise UnknownVersionError(f"the files have {newest.version} versions, not {version}")
        info = DatArchiveInfo(newest.url, newest.title, version)
        return DatArchive(self._state, self._contents, lambda: info)

    def exists(self, path: str) -> bool:
        """Tell whether a path has something."""
        return self._find(canonical_path(path), self.version) is not None

    def stat(self, path: str) -> FileStat:
        """Return what a path has.

        Raises:
            NotFoundError: Nothing.
            InvalidPathError: It is no path.
        """
        return stat_of(self._existing(canonical_path(path), self.version))

    def read_file(self, path: str, encoding: str = "utf8") -> Any:
        """Return a file's content.

        Args:
            path: The file.
            encoding: ``utf8`` for text (malformed bytes become U+FFFD), ``json`` for a value (None
                if there is no such file, as for scripts), ``base64`` or ``hex`` for text, or
                ``binary`` for bytes.

        Raises:
            NotFoundError: There is nothing.
            NotAFileError: It is a folder.
            InvalidPathError: It is no path.
            InvalidEncodingError: There is no such encoding, or the content is no JSON.
            CouldNotCheckError: It is longer than 256 MiB.
            StorageError: The content is not what was written.
        """
        check_encoding(encoding)
        path, version = canonical_path(path), self.version
        if encoding == "json" and self._find(path, version) is None:
            return None
        record = self._existing_file(path, version)
        if record.size > FILE_BYTES_MAX:
            raise CouldNotCheckError(
                f"{path} has {record.size:,} bytes; at most {FILE_BYTES_MAX:,} are read",
                code="too-large",
            )
        return decode_content(read_content(self._contents, record), encoding)

    def open_file(self, path: str) -> ArchiveFile:
        """Return a file of any size, to be read a piece at a time; there is nothing to close.

        Raises:
            NotFoundError: There is nothing.
            NotAFileError: It is a folder.
            InvalidPathError: It is no path.
        """
        record = self._existing_file(canonical_path(path), self.version)
        pieces = partial(content_pieces, self._contents.stored_block, record)
        return ArchiveFile(stat_of(record), pieces)

    def read_folder(self, path: str, after: str = "", *, limit: int) -> FolderPage:
        """Return one page of a folder, with what each name has.

        Args:
            path: The folder.
            after: The name to go on after.
            limit: How many names at most. There may be fewer, or none, before the end: where
                most of what a folder ever had is gone, a page ends when much was looked at.

        Raises:
            NotFoundError: There is nothing.
            NotAFolderError: It is a file.
            InvalidPathError: It is no path.
        """
        path, version = self._existing_folder(path)
        page, end = self._state.children_up_to(path, version, after, limit)
        return FolderPage([(name, stat_of(record)) for name, record in page], end)

    def readdir(self, path: str = "/", *, recursive: bool = False) -> list[str]:
        """Return the names in a folder, or relative paths, in the order of their UTF-8 bytes.

        Raises:
            NotFoundError: There is nothing.
            NotAFolderError: It is a file.
            InvalidPathError: It is no path.
        """
        path, version = self._existing_folder(path)
        if not recursive:
            return [name for name, _ in self._state.children_at(path, version)]
        cut = len(path.rstrip("/")) + 1
        return sorted(below[cut:] for below in self._walk(path, version))

    def history(
        self,
        path: str | None = None,
        *,
        start: int = 0,
        end: int | None = None,
        reverse: bool = False,
        limit: int = HISTORY_ITEMS_MAX,
    ) -> list[HistoryItem]:
        """Return the changes that led to what is shown, at most 1,000.

        Args:
            path: For the changes of one path alone.
            start: The first filesVersion wanted.
            end: The filesVersion to stop before.
            reverse: Newest first.
            limit: How many at most.

        Raises:
            InvalidPathError: It is no path.
        """
        stop = self.version + 1
        return self._state.history(
            None if path is None else canonical_path(path),
            start=start,
            end=stop if end is None else min(end, stop),
            reverse=reverse,
            limit=min(max(limit, 0), HISTORY_ITEMS_MAX),
        )

    def close(self) -> None:
        """Close the files that `open` opened."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _find(self, path: str, version: int) -> Record | None:
        return ROOT_RECORD if path == ROOT else self._state.record_at(path, version)

    def _existing(self, path: str, version: int) -> Record:
        record = self._find(path, version)
        if record is None:
            raise NotFoundError(f"{path} is not there")
        return record

    def _existing_file(self, path: str, version: int) -> Record:
        record = self._existing(path, version)
        if record.kind != "file":
            raise NotAFileError(f"{path} is a folder")
        return record

    def _existing_folder(self, text: str) -> tuple[str, int]:
        path, version = canonical_path(text), self.version
        if self._existing(path, version).kind != "folder":
            raise NotAFolderError(f"{path} is a file")
        return path, version

    def _walk(self, folder: str, version: int) -> Iterator[str]:
        folders = [folder]
        while folders:
            parent = folders.pop()
            for name, record in self._state.children_at(parent, version):
                path = join_path(parent, name)
                yield path
                if record.kind == "folder":
                    folders.append(path)
