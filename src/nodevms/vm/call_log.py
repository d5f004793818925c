"""The call log as its readers see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nodevms.errors import UsageError
from nodevms.feed import Feed, Proof, dat_url, parse_dat_url, verify_proof
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.entries import Entry, decode
from nodevms.vm.reading import readable_files


@dataclass(frozen=True, slots=True)
class EntryProof:
    """That an entry stands at one position of a log whose key signed it.

    Attributes:
        seq: The position.
        block: The entry's bytes, as they are hashed.
        proof: The nodes on the way to the signed root, and the signature.
    """

    seq: int
    block: bytes
    proof: Proof

    def check(self, url: str) -> Entry:
        """Check it against the log's ``dat://`` URL alone, and return the entry.

        Everything in it may come from an enemy.

        Raises:
            ProvedFalseError: It does not show that.
            UsageError: The URL is none.
        """
        verify_proof(parse_dat_url(url), self.seq, self.block, self.proof)
        return decode(self.block)


class CallLog:
    """A read-only view of a call log on disk: what is shown is signed, and nothing is changed.

    Made by :meth:`open`, or found as ``vm.call_log``. A context manager that closes what
    :meth:`open` opened. Methods may be called from any thread.
    """

    def __init__(self, feed: Feed, *, owned: bool = True) -> None:
        """Use `open`."""
        self._feed = feed
        self._owned = owned

    @classmethod
    def open(cls, directory: Path | str) -> CallLog:
        """Open the log of a backend's directory, which may be in use, or of a fetched copy.

        Raises:
            StorageError: There is none, or it is damaged.
        """
        layout = Layout(Path(directory))
        files = readable_files(layout)
        return cls(Feed.open(layout.root, LOG_PREFIX, writable=False, files=files))

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
        return decode(self.block(seq))

    def block(self, seq: int) -> bytes:
        """Return one entry's bytes, as they are hashed: JSON text and a newline.

        Raises:
            UsageError: There is no such entry.
        """
        self._check(seq)
        return self._feed.get(seq)

    def list(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """Yield the entries from ``start`` up to and without ``end``, in order, one at a time.

        Raises:
            UsageError: ``start`` is negative.
            ProvedFalseError: An entry is not in the format's one spelling.
        """
        if start < 0:
            raise UsageError(f"the log begins with entry 0, not {start}")
        stop = self.length if end is None else min(end, self.length)
        for block in self._feed.get_many(min(start, stop), stop):
            yield decode(block)

    def prove(self, seq: int) -> EntryProof:
        """Return the proof that the log has this entry: a few hundred bytes, checked offline.

        Raises:
            UsageError: There is no such entry.
        """
        self._check(seq)
        return EntryProof(seq, self._feed.get(seq), self._feed.proof(seq))

    def close(self) -> None:
        """Close the files that `open` opened."""
        if self._owned:
            self._feed.close()

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Entry]:
        return self.list()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _check(self, seq: int) -> None:
        if not 0 <= seq < self.length:
            raise UsageError(f"the log has {self.length} entries; there is no entry {seq}")
