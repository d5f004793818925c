"""A page of a folder as JSON; ``docs/reading.md`` specifies it."""

from __future__ import annotations

import msgspec

from nodevms.vm.dat_archive_values import DatArchiveInfo, FolderPage


class ListedFile(msgspec.Struct, frozen=True, tag="file", tag_field="kind"):
    """A file in a folder.

    Attributes:
        name: Its name.
        size: Bytes of the content.
        sha256: SHA-256 of the content in hex.
        mtime: When it was put, in ms since 1970.
    """

    name: str
    size: int
    sha256: str
    mtime: int


class ListedFolder(msgspec.Struct, frozen=True, tag="folder", tag_field="kind"):
    """A folder in a folder.

    Attributes:
        name: Its name.
        mtime: When it was made, in ms since 1970.
    """

    name: str
    mtime: int


class Listing(msgspec.Struct, frozen=True):
    """One page of a folder.

    Attributes:
        url: The drive's ``dat://`` URL.
        title: The backend's title for its files.
        version: The filesVersion that is shown.
        path: The folder's path.
        entries: What is in it, in the order of the names' UTF-8 bytes.
        next: The name to go on after, as ``?after=``; None if this is the end.
    """

    url: str
    title: str
    version: int
    path: str
    entries: list[ListedFile | ListedFolder]
    next: str | None


def json_listing(info: DatArchiveInfo, path: str, page: FolderPage) -> bytes:
    """Return the JSON text."""
    entries: list[ListedFile | ListedFolder] = [
        ListedFolder(name, stat.mtime_ms)
        if stat.is_folder
        else ListedFile(name, stat.size, stat.sha256, stat.mtime_ms)
        for name, stat in page.children
    ]
    return msgspec.json.encode(
        Listing(info.url, info.title, info.version, path, entries, page.after)
    )
