"""What each file operation does and when it refuses, after the DatArchive API (host API 1).

Where the DatArchive API leaves a choice, or is changed:

- `write_file` makes missing parent folders; nothing else does. A parent that is a file is
  ParentFolderDoesntExistError everywhere. Over a folder: EntryAlreadyExistsError. A path with a
  slash at its end is no file's: InvalidPathError.
- `rename` replaces nothing. `copy` replaces a file by a file, and fills an empty folder with a
  folder's contents. What is in the way otherwise is EntryAlreadyExistsError, or
  DestDirectoryNotEmpty if it is a folder with something in it.
- The root, a path itself, and a place inside the source are no target: InvalidPathError. The root
  cannot be moved, copied or removed.
- Everything put gets the call's time, copies and moved files included, since that is when the
  path changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from nodevms.archive import file_gas as gas
from nodevms.archive.errors import (
    DestDirectoryNotEmpty,
    EntryAlreadyExistsError,
    InvalidPathError,
    NotAFileError,
    NotAFolderError,
    NotFoundError,
    ParentFolderDoesntExistError,
)
from nodevms.archive.overlay import Overlay
from nodevms.archive.paths import (
    ROOT,
    canonical_path,
    component_count,
    is_inside,
    join_path,
    split_path,
)
from nodevms.archive.record import ZERO_HASH, Record

Charge = Callable[[int], None]
ROOT_RECORD = Record("folder", 0, ZERO_HASH, 0, 0, 0)


class FileRules:
    """The operations on one call's overlay; each takes paths as the script wrote them."""

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

    def write_file(self, text: str, data: bytes) -> None:
        """Put a file, and its missing parent folders."""
        self._charge(gas.WRITE_BYTE * len(data))
        path = self._path(text)
        if path == ROOT or text.endswith("/"):
            raise InvalidPathError("a file's path does not end with a slash")
        old = self._overlay.get(path)
        if old is not None and old.kind == "folder":
            raise EntryAlreadyExistsError(f"{path} is a folder")
        missing = [] if old is not None else self._missing_parents(path)
        self._charge(gas.CHANGE * (1 + len(missing)))
        for folder in reversed(missing):
            self._overlay.put_folder(folder)
        self._overlay.put_file(path, data)

    def make_folder(self, text: str) -> None:
        """Put a folder whose parent is there."""
        path = self._path(text)
        if self._find(path) is not None:
            raise EntryAlreadyExistsError(f"{path} is there already")
        self._check_parent(path)
        self._charge(gas.CHANGE)
        self._overlay.put_folder(path)

    def remove_file(self, text: str) -> None:
        """Delete a file."""
        path = self._path(text)
        if self._existing(path).kind != "file":
            raise NotAFileError(f"{path} is a folder")
        self._charge(gas.CHANGE)
        self._overlay.delete(path)

    def remove_folder(self, text: str, *, recursive: bool) -> None:
        """Delete a folder, and what is in it if `recursive`."""
        path = self._path(text)
        if path == ROOT:
            raise InvalidPathError("the root cannot be removed")
        if self._existing(path).kind != "folder":
            raise NotAFolderError(f"{path} is a file")
        if recursive:
            inside = self._to_change(path)
            for below, _ in inside:
                self._overlay.delete(below)
        else:
            self._check_empty(path)
        self._charge(gas.CHANGE)
        self._overlay.delete(path)

    def copy(self, source_text: str, target_text: str) -> None:
        """Copy a file, or a folder with all that is in it."""
        source, target, record = self._two_paths(source_text, target_text)
        old = self._overlay.get(target)
        if old is not None and (old.kind == "folder" or record.kind == "folder"):
            self._refuse_to_replace(target, old, may_fill=record.kind == "folder")
        self._check_parent(target)
        self._copy(source, record, target, make_top=old is None)

    def rename(self, source_text: str, target_text: str) -> None:
        """Move a file, or a folder with all that is in it, to where nothing is."""
        source, target, record = self._two_paths(source_text, target_text)
        old = self._overlay.get(target)
        if old is not None:
            self._refuse_to_replace(target, old, may_fill=False)
        self._check_parent(target)
        moved = self._copy(source, record, target, make_top=True)
        self._charge(gas.CHANGE * (1 + len(moved)))
        for path in [*moved, source]:
            self._overlay.delete(path)

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
        if not recursive:
            return list(self._children(path, price))
        cut = len(path.rstrip("/")) + 1
        return sorted(
            ((below[cut:], record) for below, record in self._walk(path, price)),
            key=lambda item: item[0],
        )

    def canonical(self, text: str) -> str:
        """Return a path's canonical form, paid for."""
        return self._path(text)

    def pay_names(self, count: int) -> None:
        """Charge for names that are about to be answered."""
        self._charge(gas.NAME * count)

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

    def _check_parent(self, path: str) -> None:
        parent, _ = split_path(path)
        record = self._find(parent)
        if record is None or record.kind != "folder":
            raise ParentFolderDoesntExistError(f"there is no folder {parent}")

    def _missing_parents(self, path: str) -> list[str]:
        """Return the parents to be made, the deepest first.

        To look up a missing path costs as much as it is deep, and hundreds may be missing: so they
        are looked for from the root on, up to the first.
        """
        parent, _ = split_path(path)
        record = self._find(parent)
        missing: list[str] = []
        if record is None:
            names = iter(parent[1:].split("/"))
            parent, record = ROOT, ROOT_RECORD
            for name in names:
                below = join_path(parent, name)
                found = self._find(below)
                if found is None:
                    missing.append(below)
                    break
                parent, record = below, found
            for name in names:
                missing.append(join_path(missing[-1], name))
            missing.reverse()
        if record.kind != "folder":
            raise ParentFolderDoesntExistError(f"{parent} is a file")
        return missing

    def _two_paths(self, source_text: str, target_text: str) -> tuple[str, str, Record]:
        source, target = self._path(source_text), self._path(target_text)
        if ROOT in {source, target}:
            raise InvalidPathError("the root can be neither copied nor replaced")
        record = self._existing(source)
        if source == target or is_inside(target, source):
            raise InvalidPathError(f"{source} cannot be put into itself")
        return source, target, record

    def _refuse_to_replace(self, target: str, old: Record, *, may_fill: bool) -> None:
        if old.kind == "folder":
            self._check_empty(target)
            if may_fill:
                return
        raise EntryAlreadyExistsError(f"{target} is there already")

    def _check_empty(self, folder: str) -> None:
        for _ in self._children(folder, gas.NAME):
            raise DestDirectoryNotEmpty(f"{folder} is not empty")

    def _copy(self, source: str, record: Record, target: str, *, make_top: bool) -> list[str]:
        """Copy, and return the paths below the source, what is deeper first."""
        if record.kind == "file":
            self._charge(gas.CHANGE)
            self._overlay.copy_file(source, record, target)
            return []
        inside = self._to_change(source)
        self._check_lengths([target + path[len(source) :] for path, _ in inside])
        if make_top:
            self._charge(gas.CHANGE)
            self._overlay.put_folder(target)
        for path, below in reversed(inside):
            copied = target + path[len(source) :]
            if below.kind == "file":
                self._overlay.copy_file(path, below, copied)
            else:
                self._overlay.put_folder(copied)
        return [path for path, _ in inside]

    def _check_lengths(self, paths: list[str]) -> None:
        for path in paths:
            canonical_path(path)

    def _to_change(self, folder: str) -> list[tuple[str, Record]]:
        """Return all that is below a folder, what is deeper first, with its change paid for."""
        inside = sorted(self._walk(folder, gas.NAME + gas.CHANGE), key=lambda item: item[0])
        inside.reverse()
        return inside

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
