"""A file system that never waits for the disk, for feeds that no test takes a power cut to."""

from __future__ import annotations

import os
from pathlib import Path

from nodevms.feed.files import OSFile, OSFiles


class WithoutSync(OSFiles):
    """Saves the time of syncing: these tests pull no plug."""

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> OSFile:
        return FileWithoutSync(os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), mode))

    def sync_directory(self, path: Path) -> None:
        pass


class FileWithoutSync(OSFile):
    def sync(self) -> None:
        pass
