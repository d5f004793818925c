"""The call log as its readers see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nodevms.errors import UsageError
from nodevms.feed import Feed, dat_url
from nodevms.vm.directory import LOG_PREFIX
from nodevms.vm.entries import Entry, decode


class CallLog:
    """A read-only view of a call log on disk: what is shown is signed, and nothing is changed."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    @classmethod
    def open(cls, directory: Path | str) -> CallLog:
        """Open the log of a backend's directory, which may be in use.

        Raises:
            StorageError: There is none, or it is damaged.
        """
        return cls(Feed.open(Path(directory), LOG_PREFIX, writable=False))

    @property
    def key(self) -> bytes:
        """The public key, 32 bytes."""
        return self._feed.key

    @property
    def url(self) -> str:
        """The log's ``dat://`` URL."""
        return dat_url(self._feed.key)

    @property
    def length(self) -> int:
        """How many entries are signed and on disk."""
        return self._feed.synced_length

    def get(self, seq: int) -> Entry:
        """Return one entry.

        Raises:
            UsageError: There is no such entry.
            ProvedFalseError: The entry is not in the format's one spelling.
        """
        if not 0 <= seq < self.length:
            raise UsageError(f"the log has {self.length} entries; there is no entry {seq}")
        return decode(self._feed.get(seq))

    def list(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """Return the entries from ``start`` up to and without ``end``, in order."""
        stop = self.length if end is None else min(end, self.length)
        for block in self._feed.get_many(start, stop):
            yield decode(block)

    def close(self) -> None:
        """Close the files."""
        self._feed.close()
