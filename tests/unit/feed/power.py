"""A disk in memory whose power can fail between, or within, any two operations.

What was not synced may have reached the disk in part and in any order: each sector has its old
bytes or any that were written to it since, and each file any of its sizes since.
"""

from __future__ import annotations

import errno
from pathlib import Path
from random import Random

SECTOR_BYTES = 512


class PowerLostError(Exception):
    """Raised by the operation that the power cut ended."""


class Content:
    """One file: what programs see, and what it may be after a power cut."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.kept = b""
        self.sizes: list[int] = []
        self.sectors: dict[int, list[bytes]] = {}

    def write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        if len(self.seen) < end:
            self.seen.extend(bytes(end - len(self.seen)))
            self.sizes.append(end)
        self.seen[offset:end] = data
        for number in range(offset // SECTOR_BYTES, -(-end // SECTOR_BYTES)):
            start = number * SECTOR_BYTES
            written = bytes(self.seen[start : start + SECTOR_BYTES])
            self.sectors.setdefault(number, []).append(written.ljust(SECTOR_BYTES, b"\x00"))

    def cut(self, size: int) -> None:
        self.seen = self.seen[:size].ljust(size, b"\x00")
        self.sizes.append(size)

    def settle(self) -> None:
        self.kept, self.sizes, self.sectors = bytes(self.seen), [], {}

    def lose(self, random: Random) -> None:
        data = bytearray(self.kept)
        for number, versions in self.sectors.items():
            start, end = number * SECTOR_BYTES, (number + 1) * SECTOR_BYTES
            data.extend(bytes(max(0, end - len(data))))
            data[start:end] = random.choice([bytes(data[start:end]), *versions])
        size = random.choice([len(self.kept), *self.sizes])
        self.seen = data[:size].ljust(size, b"\x00")
        self.settle()


class Disk:
    """A file system that loses power after some operations.

    Attributes:
        files: The contents by path.
        operations_left: Writes, cuts and syncs until the power fails; None for never.
        failing: Names of files whose next sync fails, and leaves the system believing that it
            did not: what was written is seen, and never reaches the disk by itself.
    """

    def __init__(self) -> None:
        self.files: dict[Path, Content] = {}
        self.operations_left: int | None = None
        self.failing: set[str] = set()
        self.syncs: list[str] = []

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> DiskFile:
        if path not in self.files:
            if not create:
                raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
            self.files[path] = Content()
        return DiskFile(self, path)

    def make_directory(self, path: Path) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass

    def step(self) -> None:
        if self.operations_left is not None:
            if self.operations_left == 0:
                raise PowerLostError
            self.operations_left -= 1

    def lose_power(self, random: Random) -> None:
        for content in self.files.values():
            content.lose(random)
        self.operations_left = None

    def bytes_of(self, path: Path) -> bytes:
        return bytes(self.files[path].seen)


class DiskFile:
    def __init__(self, disk: Disk, path: Path) -> None:
        self._disk = disk
        self._path = path
        self._content = disk.files[path]

    def read_at(self, offset: int, size: int) -> bytes:
        return bytes(self._content.seen[offset : offset + size])

    def write_at(self, offset: int, data: bytes) -> None:
        self._disk.step()
        self._content.write(offset, data)

    def size(self) -> int:
        return len(self._content.seen)

    def truncate(self, size: int) -> None:
        self._disk.step()
        self._content.cut(size)

    def sync(self) -> None:
        self._disk.step()
        self._disk.syncs.append(self._path.name)
        if self._path.name in self._disk.failing:
            self._content.sizes, self._content.sectors = [], {}
            raise OSError(errno.EIO, "sync failed")
        self._content.settle()

    def close(self) -> None:
        pass
