"""The way back to any earlier state of a guest: a snapshot, and what ran since.

Going back makes a *new* instance from the snapshot and runs the entries since again, fed with the
answers that the host gave then. An instance is never restored in place: its memory would be larger
than the snapshot's, which a script cannot see and its later gas would show. So a call costs nothing
extra until one has to be undone, and when snapshots are taken has no influence on any result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nodevms.sandbox.engine import Engine
from nodevms.sandbox.host import Guest
from nodevms.sandbox.image import Image, SparseImage
from nodevms.sandbox.instance import (
    ANSWER_BYTES,
    RECORDED_BYTES_MAX,
    Ended,
    EngineFaultError,
    Instance,
)
from nodevms.sandbox.limits import Limits

ENTRIES_MAX: Final = 512
GAS_MAX: Final = 200_000_000
BYTES_MAX: Final = RECORDED_BYTES_MAX
"""A snapshot is taken before the journal passes any of these: they bound what an undo costs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What went into an entry and how it ended; with its answers it can be run again."""

    function: str
    request: bytes
    answers: tuple[tuple[bytes, int], ...] | None
    ended: int
    gas: int

    @property
    def size(self) -> int:
        """What keeping it costs, in bytes, roughly."""
        if self.answers is None:
            return RECORDED_BYTES_MAX
        return len(self.request) + sum(ANSWER_BYTES + len(answer) for answer, _ in self.answers)


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Where a guest was between two entries; any thread may go there (see ``replica.py``).

    Attributes:
        image: The snapshot to begin from; None for the beginning.
        entries: What ran since. It may grow, and what is there stays.
        count: How many of these belong to the point.
    """

    image: SparseImage | None
    entries: list[Entry]
    count: int

    def follows(self, other: Point) -> bool:
        """Tell whether nothing but some of the same entries lies between another point and this."""
        return self.entries is other.entries and self.count >= other.count


class _Recorded:
    """Answers as the host did before, and takes the gas that it took."""

    def __init__(self, answers: tuple[tuple[bytes, int], ...]) -> None:
        self._answers = iter(answers)

    def call(self, _operation: int, _request: bytes, guest: Guest) -> bytes:
        answer = next(self._answers, None)
        if answer is None:
            raise EngineFaultError("an entry that was run again asked the host for more")
        guest.charge(answer[1])
        return answer[0]


class Journal:
    """What happened to one guest since its last snapshot; without one, since it was made."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._new: Image | None = None
        self._image: SparseImage | None = None
        self._entries: list[Entry] = []
        self._gas = 0
        self._bytes = 0

    def add(self, function: str, request: bytes, instance: Instance, ended: Ended) -> None:
        """Note an entry that ended and stays."""
        answers = None if instance.recorded is None else tuple(instance.recorded)
        entry = Entry(function, request, answers, ended.how, ended.gas)
        self._entries.append(entry)
        self._gas += entry.gas
        self._bytes += entry.size

    def drop_last(self) -> None:
        """Forget the last entry, so that going back leads to where it began."""
        entry = self._entries.pop()
        self._gas -= entry.gas
        self._bytes -= entry.size

    def snapshot_if_due(self, instance: Instance) -> None:
        """Begin anew from a snapshot if going back has become too dear."""
        long = len(self._entries) >= ENTRIES_MAX
        if long or self._gas >= GAS_MAX or self._bytes >= BYTES_MAX:
            self._begin_from(instance)

    def point(self) -> Point:
        """Return where the guest is, for others to go there. Only when the last entry stays."""
        return Point(self._image, self._entries, len(self._entries))

    def go_back(self) -> Instance:
        """Return a new instance in the state that the journal leads to, and begin from there.

        Raises:
            EngineFaultError: An entry did not end as it did before.
        """
        instance = Instance(self._engine, self._limits, self._image)
        run_again(instance, self._entries)
        if self._entries:
            self._begin_from(instance)
        return instance

    def _begin_from(self, instance: Instance) -> None:
        if self._new is None:
            self._new = Instance(self._engine, self._limits).image()
        self._image = instance.sparse_image(self._new)
        self._entries = []
        self._gas = self._bytes = 0


def run_again(instance: Instance, entries: Sequence[Entry]) -> None:
    """Run entries again with the answers that the host gave then.

    Raises:
        EngineFaultError: One did not end as it did before.
    """
    for entry in entries:
        if entry.answers is None:  # a snapshot was due after it
            raise EngineFaultError("an entry whose answers were not kept cannot be run again")
        again = instance.enter(entry.function, entry.request, _Recorded(entry.answers))
        if (again.how, again.gas) != (entry.ended, entry.gas):
            raise EngineFaultError("an entry that was run again ended otherwise")
