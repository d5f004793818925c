"""A machine whose power fails: the real files of a backend, and what a disk may keep of them.

The files are real, so all of a backend runs on them, with readers that open them by themselves.
What was written to them and not synced is remembered by sector, as in the disk in memory; when
the power is lost, each file gets what its disk may have kept.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from power import Content

from nodevms.feed import Journal
from nodevms.feed.files import OSFile, OSFiles

NEVER = 1 << 62


class Machine:
    """Watches the files below a directory.

    Attributes:
        operations: Writes, cuts and syncs so far.
        failing_at: From this operation on the disk is gone; None for never.
        failing_until: From this operation on it is there again. What a failed sync should have
            written is seen, and never reaches the disk by itself.
        watch: Called before each of them.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = root
        self._contents: dict[tuple[int, str], Content] = {}
        self.operations = 0
        self.failing_at: int | None = None
        self.failing_until = NEVER
        self.watch: Callable[[], None] = lambda: None
        real_open = OSFiles.open

        def opened(files: OSFiles, path: Path, **options: object) -> OSFile | _Watched:
            file = real_open(files, path, **options)  # type: ignore[arg-type]
            if not path.is_relative_to(root) or not (
                options.get("writable") or options.get("create")
            ):
                return file
            return _Watched(self, file, self._content_of(path))

        monkeypatch.setattr(OSFiles, "open", opened)

    def step(self) -> None:
        self.watch()
        number, self.operations = self.operations, self.operations + 1
        if self.failing_at is not None and self.failing_at <= number < self.failing_until:
            raise OSError(errno.EIO, "the disk is gone")

    def lose_power(self, random: Random) -> None:
        """Leave of each file what its disk may have kept; the power is back afterwards."""
        self.failing_at = None
        for path in sorted(self._root.rglob("*")):
            content = self._contents.pop((path.stat().st_ino, path.name), None)
            if content is not None and path.is_file():
                content.lose(random)
                path.write_bytes(content.seen)
        self._contents.clear()

    def _content_of(self, path: Path) -> Content:
        key, data = (path.stat().st_ino, path.name), path.read_bytes()
        known = self._contents.get(key)
        if known is not None and known.seen == data:  # else it is another file's old number
            return known
        self._contents[key] = content = Content()
        content.seen[:] = data
        content.settle()
        return content


class _Watched:
    def __init__(self, machine: Machine, file: OSFile, content: Content) -> None:
        self._machine = machine
        self._file = file
        self._content = content

    def read_at(self, offset: int, size: int) -> bytes:
        return self._file.read_at(offset, size)

    def size(self) -> int:
        return self._file.size()

    def write_at(self, offset: int, data: bytes) -> None:
        self._machine.step()
        self._file.write_at(offset, data)
        self._content.write(offset, data)

    def truncate(self, size: int) -> None:
        self._machine.step()
        self._file.truncate(size)
        self._content.cut(size)

    def sync(self) -> None:
        try:
            self._machine.step()
        except OSError:
            self._content.sizes, self._content.sectors = [], {}
            raise
        self._content.settle()

    def close(self) -> None:
        self._file.close()


def shrink_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give backends a journal that is soon full."""
    defaults = {**(Journal.__init__.__kwdefaults__ or {}), "room_bytes": 4096}
    monkeypatch.setattr(Journal.__init__, "__kwdefaults__", defaults)


def change_index(directory: Path, old: Path, random: Random) -> None:
    """Do to the index what may become of a derived file: it stays, goes, or is an older one."""
    choice = random.choice(["stays", "goes", "older"])
    if choice != "stays":
        for path in directory.glob("state.db*"):
            path.unlink()
    if choice == "older" and old.exists():
        shutil.copy(old, directory / "state.db")
