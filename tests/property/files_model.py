"""What `System.files` should do, written again over a plain dictionary.

Paths are already canonical. A folder is None, a file its bytes.
"""

from __future__ import annotations


class ModelError(Exception):
    """A refusal, by its name."""


def parent_of(path: str) -> str:
    return path.rsplit("/", 1)[0] or "/"


class Model:
    """The files as a dictionary from path to bytes or None; the root is always there."""

    def __init__(self) -> None:
        self.there: dict[str, bytes | None] = {"/": None}

    def below(self, folder: str) -> list[str]:
        start = folder.rstrip("/") + "/"
        return [path for path in self.there if path != "/" and path.startswith(start)]

    def is_folder(self, path: str) -> bool:
        return path in self.there and self.there[path] is None

    def need(self, path: str) -> None:
        if path not in self.there:
            raise ModelError("NotFoundError")

    def need_parent(self, path: str) -> None:
        if not self.is_folder(parent_of(path)):
            raise ModelError("ParentFolderDoesntExistError")

    def readFile(self, path: str) -> bytes:
        self.need(path)
        content = self.there[path]
        if content is None:
            raise ModelError("NotAFileError")
        return content

    def writeFile(self, path: str, data: bytes) -> None:
        if path == "/":
            raise ModelError("InvalidPathError")
        if self.is_folder(path):
            raise ModelError("EntryAlreadyExistsError")
        parents, parent = [], parent_of(path)
        while parent not in self.there:
            parents.append(parent)
            parent = parent_of(parent)
        if self.there[parent] is not None:
            raise ModelError("ParentFolderDoesntExistError")
        self.there.update(dict.fromkeys(parents))
        self.there[path] = data

    def mkdir(self, path: str) -> None:
        if path in self.there:
            raise ModelError("EntryAlreadyExistsError")
        self.need_parent(path)
        self.there[path] = None

    def unlink(self, path: str) -> None:
        self.need(path)
        if self.is_folder(path):
            raise ModelError("NotAFileError")
        del self.there[path]

    def rmdir(self, path: str, recursive: bool) -> None:
        if path == "/":
            raise ModelError("InvalidPathError")
        self.need(path)
        if not self.is_folder(path):
            raise ModelError("NotAFolderError")
        below = self.below(path)
        if below and not recursive:
            raise ModelError("DestDirectoryNotEmpty")
        for each in [*below, path]:
            del self.there[each]

    def copy(self, source: str, target: str) -> None:
        self._need_two(source, target)
        if target in self.there:
            if self.is_folder(target) and self.below(target):
                raise ModelError("DestDirectoryNotEmpty")
            if self.is_folder(source) != self.is_folder(target):
                raise ModelError("EntryAlreadyExistsError")
        self.need_parent(target)
        for path in [source, *self.below(source)]:
            self.there[target + path[len(source) :]] = self.there[path]

    def rename(self, source: str, target: str) -> None:
        self._need_two(source, target)
        if target in self.there:
            full = self.is_folder(target) and self.below(target)
            raise ModelError("DestDirectoryNotEmpty" if full else "EntryAlreadyExistsError")
        self.need_parent(target)
        for path in [source, *self.below(source)]:
            self.there[target + path[len(source) :]] = self.there.pop(path)

    def exists(self, path: str) -> bool:
        return path in self.there

    def readdir(self, path: str, recursive: bool) -> list[str]:
        self.need(path)
        if not self.is_folder(path):
            raise ModelError("NotAFolderError")
        cut = len(path.rstrip("/")) + 1
        names = [each[cut:] for each in self.below(path)]
        return sorted((n for n in names if recursive or "/" not in n), key=str.encode)

    def _need_two(self, source: str, target: str) -> None:
        if "/" in {source, target}:
            raise ModelError("InvalidPathError")
        self.need(source)
        if source == target or (target + "/").startswith(source + "/"):
            raise ModelError("InvalidPathError")
