"""Finding what a URL means, in the archive; it reads the disk and so runs beside the event loop."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nodevms.archive import UnknownVersionError
from nodevms.archive.errors import NotFoundError
from nodevms.archive.paths import join_path
from nodevms.errors import NodeVMSError
from nodevms.rpc.files.address import Address
from nodevms.rpc.files.content_types import type_of_content, type_of_name
from nodevms.vm.dat_archive import DatArchive
from nodevms.vm.dat_archive_values import ArchiveFile, DatArchiveInfo, FolderPage

_START_BYTES = 65_536
INDEX = "index.html"


class NotThereError(NodeVMSError):
    """There is nothing to show; answered with 404."""

    code = "files-not-found"


@dataclass(frozen=True, slots=True)
class Found:
    """What a URL means.

    Attributes:
        shown: The archive at the version that is shown; its log length is that of the newest.
        newest: The newest filesVersion.
        folder: A page of a folder, or None.
        file: A file, or None; with neither, the URL of a folder lacks its slash.
        content_type: A file's.
    """

    shown: DatArchiveInfo
    newest: int
    folder: FolderPage | None = None
    file: ArchiveFile | None = None
    content_type: str = ""


def look(archive: DatArchive, address: Address, *, index: bool) -> Found:
    """Find what a URL means.

    Args:
        archive: The files, at the newest version.
        address: What the URL says.
        index: Whether a folder's ``index.html`` stands for the folder.

    Raises:
        NotThereError: The version or the path is not there.
        StorageError: The disk or what is on it failed.
    """
    newest = archive.get_info()
    version = newest.version if address.version is None else address.version
    try:
        files = archive.checkout(version)
        stat = files.stat(address.path)
    except UnknownVersionError:
        raise NotThereError(
            f"There is no version {version} of the files yet; the newest is {newest.version}.",
            code=UnknownVersionError.code,
        ) from None
    except NotFoundError:
        raise NotThereError(f"There is no {address.path} in version {version}.") from None
    shown = newest if version == newest.version else files.get_info()
    found = Found(shown, newest.version)
    if not stat.is_folder:
        if address.as_folder:
            raise NotThereError(
                f"{address.path} is a file; its URL has no slash at its end.",
                code="files-not-a-folder",
            )
        return _file(found, files, address.path)
    if not address.as_folder:
        return found
    index_path = join_path(address.path, INDEX)
    if index and files.exists(index_path) and not files.stat(index_path).is_folder:
        return _file(found, files, index_path)
    page = files.read_folder(address.path, address.after, limit=address.limit)
    return replace(found, folder=page)


def _file(found: Found, files: DatArchive, path: str) -> Found:
    file = files.open_file(path)
    content_type = type_of_name(path.rpartition("/")[2])
    if content_type is None:
        start = b"".join(file.pieces(0, min(file.stat.size, _START_BYTES)))
        content_type = type_of_content(start)
    return replace(found, file=file, content_type=content_type)
