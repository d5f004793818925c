"""Two feeds behind one journal, as a backend has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nodevms.feed import Feed, FileSystem, Journal, KeyPair
from nodevms.feed.sleep import feed_path

LOG_KEYS = KeyPair.from_seed(b"\x01" * 32)
CONTENT_KEYS = KeyPair.from_seed(b"\x02" * 32)
ROOT = Path("/backend")
LOG = (ROOT, "call-log.")
CONTENT = (ROOT / "content", "")
JOURNAL = ROOT / "journal"
NAMES = ("data", "tree", "signatures")


def journal(disk: FileSystem, room_bytes: int) -> Journal:
    return Journal(
        JOURNAL,
        [feed_path(*feed, name) for feed in (CONTENT, LOG) for name in NAMES],
        derived=[feed_path(*feed, "bitfield") for feed in (CONTENT, LOG)],
        files=disk,
        room_bytes=room_bytes,
    )


@dataclass
class Behind:
    log: Feed
    content: Feed
    journal: Journal

    @classmethod
    def create(cls, disk: FileSystem, room_bytes: int = 1 << 16) -> Behind:
        files = journal(disk, room_bytes)
        log = Feed.create(*LOG, LOG_KEYS, files=files)
        content = Feed.create(*CONTENT, CONTENT_KEYS, files=files)
        files.begin()
        return cls(log, content, files)

    @classmethod
    def open(cls, disk: FileSystem, room_bytes: int = 1 << 16) -> Behind:
        files = journal(disk, room_bytes)
        files.redo()
        log = Feed.open(*LOG, writable=True, files=files)
        content = Feed.open(*CONTENT, writable=True, files=files)
        files.begin()
        return cls(log, content, files)

    def write(self, contents: list[bytes], entries: list[bytes]) -> None:
        """Make contents last, then the entries that rely on them."""
        if contents:
            self.content.append(contents)
            self.content.sync()
        self.log.append(entries)
        self.log.sync()

    def close(self) -> None:
        self.journal.end()
        self.log.close()
        self.content.close()
