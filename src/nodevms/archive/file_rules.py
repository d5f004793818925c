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

from nodevms.archive import file_gas as gas
from nodevms.archive.errors import (
    DestDirectoryNotEmpty,
    EntryAlreadyExistsError,
    InvalidPathError,
    NotAFileError,
    NotAFolderError,
    ParentFolderDoesntExistError,
)
from nodevms.archive.file_lookups import ROOT_RECORD, FileLookups
from nodevms.archive.paths import ROOT, canonical_path, is_inside, join_path, split_path
from nodevms.archive.record import Record


class FileRules(FileLookups):
    """The operations on one call's overlay; each takes paths as the script wrote them."""

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
        self._overlay.room.require(
            len(data) - (0 if old is None else old.size), 0 if old is not None else 1 + len(missing)
        )
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
        self._overlay.room.require(0, 1)
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
        self._copy(source, record, target, replaced=old)

    def rename(self, source_text: str, target_text: str) -> None:
        """Move a file, or a folder with all that is in it, to where nothing is."""
        source, target, record = self._two_paths(source_text, target_text)
        old = self._overlay.get(target)
        if old is not None:
            self._refuse_to_replace(target, old, may_fill=False)
        self._check_parent(target)
        moved = self._copy(source, record, target, replaced=None, moves=True)
        self._charge(gas.CHANGE * (1 + len(moved)))
        for path in [*moved, source]:
            self._overlay.delete(path)

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
        self._charge(gas.NAME * (1 + self._overlay.touched(folder)))
        if not self._overlay.is_empty(folder):
            raise DestDirectoryNotEmpty(f"{folder} is not empty")

    def _copy(
        self,
        source: str,
        record: Record,
        target: str,
        *,
        replaced: Record | None,
        moves: bool = False,
    ) -> list[str]:
        """Copy, and return the paths below the source, what is deeper first.

        Args:
            source: Canonical path of what is copied.
            record: What is there.
            target: Canonical path.
            replaced: What is there, if anything is.
            moves: Whether the source is deleted afterwards, so that nothing becomes more.
        """
        top = int(replaced is None)
        if record.kind == "file":
            if not moves:
                self._overlay.room.require(record.size - (replaced.size if replaced else 0), top)
            self._charge(gas.CHANGE)
            self._overlay.copy_file(source, record, target)
            return []
        inside = self._to_change(source)
        self._check_lengths([target + path[len(source) :] for path, _ in inside])
        if not moves:
            size = sum(below.size for _, below in inside)
            self._overlay.room.require(size, len(inside) + top)
        if top:
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
        inside = []
        for below in self._walk(folder, gas.NAME + gas.CHANGE):
            inside.append(below)
            self._overlay.check_paths(len(inside))
        return sorted(inside, key=lambda item: item[0], reverse=True)
