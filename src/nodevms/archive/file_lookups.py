"""What the file operations look up, and what they pay for it (host API 1).

Nothing is looked up in proportion to a request or to the files before it is paid, but for a page
of names: what a call that runs out of gas has not paid for is small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nodevms.archive import file_gas as gas
from nodevms.archive.errors import (
    ListingTooLargeError,
    NotAFileError,
    NotAFolderError,
    NotFoundError,
)
from nodevms.archive.overlay import Overlay
from nodevms.archive.paths import ROOT, canonical_path, component_count, join_path
from nodevms.archive.record import ZERO_HASH, HistoryItem, Record

Charge = Callable[[int], None]
LISTED_BASE_BYTES = 16
LISTING_BYTES_MAX = 64 * 1024 * 1024
HISTORY_PAGE = 10
"""So many paths are found before they are paid, and they may have thousands of components."""
ROOT_RECORD = Record("folder", 0, ZERO_HASH, 0, 0, 0)


class FileLookups:
    """What can be asked of one call's overlay; paths are as the script wrote them."""

    def __init__(self, overlay: Overlay, charge: Charge) -> None:
        self._overlay = overlay
        self._charge = charge

    def read_file(self, text: str) -> bytes:
        """Return a file's bytes."""
        path = self._path(text)
        record = self._existing(path)
        if record.kind != "file":
            raise NotAFileError(f"{path} is a folder")
        self._charge(gas.READ_BYTE * record.size)
        return self._overlay.read(path, record)

    def exists(self, text: str) -> bool:
        """Tell whether a path has something."""
        return self._find(self._path(text)) is not None

    def stat(self, text: str) -> Record:
        """Return what a path has."""
        return self._existing(self._path(text))

    def list_folder(self, text: str, *, recursive: bool, stat: bool) -> list[tuple[str, Record]]:
        """Return (name, record), or (relative path, record), in the order of UTF-8 bytes."""
        path = self._path(text)
        if self._existing(path).kind != "folder":
            raise NotAFolderError(f"{path} is a file")
        price = gas.NAME + (gas.STAT if stat else 0)
        listed: list[tuple[str, Record]] = []
        size = 0
        cut = len(path.rstrip("/")) + 1
        found = self._walk(path, price) if recursive else self._children(path, price)
        for name, record in found:
            below = name[cut:] if recursive else name
            # What a name takes in an answer, and in the memory of this host while it is made.
            bytes_more = len(below.encode()) + LISTED_BASE_BYTES
            self._charge(gas.NAME_BYTE * bytes_more)
            size += bytes_more
            if size > LISTING_BYTES_MAX:
                raise ListingTooLargeError(
                    f"The list has more than {LISTING_BYTES_MAX:,} bytes", code="ERR_LISTING"
                )
            listed.append((below, record))
        return sorted(listed, key=lambda item: item[0]) if recursive else listed

    def history(
        self, text: str | None, start: int, end: int, *, reverse: bool, limit: int
    ) -> list[HistoryItem]:
        """Return changes with start <= version < end, paid for a few at a time."""
        path = None if text is None else self._path(text)
        found: list[HistoryItem] = []
        while len(found) < limit:
            wanted = min(HISTORY_PAGE, limit - len(found))
            page = self._overlay.state.history(
                path, start=start, end=end, reverse=reverse, limit=wanted
            )
            for item in page:
                self._charge(gas.NAME + gas.COMPONENT * component_count(item.path))
            found += page
            if len(page) < wanted:
                break
            if reverse:
                end = page[-1].version
            else:
                start = page[-1].version + 1
        return found

    def _path(self, text: str) -> str:
        path = canonical_path(text)
        self._charge(gas.COMPONENT * component_count(path))
        return path

    def _find(self, path: str) -> Record | None:
        return ROOT_RECORD if path == ROOT else self._overlay.get(path)

    def _existing(self, path: str) -> Record:
        record = self._find(path)
        if record is None:
            raise NotFoundError(f"{path} is not there")
        return record

    def _walk(self, folder: str, price: int) -> Iterator[tuple[str, Record]]:
        folders = [folder]
        while folders:
            parent = folders.pop()
            for name, record in self._children(parent, price):
                path = join_path(parent, name)
                yield path, record
                if record.kind == "folder":
                    folders.append(path)

    def _children(self, folder: str, price: int) -> Iterator[tuple[str, Record]]:
        self._charge(gas.NAME * self._overlay.touched(folder))
        for child in self._overlay.children(folder):
            self._charge(price)
            yield child
