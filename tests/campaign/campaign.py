"""The campaign: cases live here and are replayed elsewhere; everything must be equal."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from live_run import Lived, live
from random_cases import Case, random_case
from replayer import MODES, replayed

from nodevms.sandbox import Engine


class Replayer(Protocol):
    """Verifies a directory somewhere, as `replayer.replayed` does."""

    @property
    def name(self) -> str: ...

    def replay(self, directory: Path, mode: str) -> dict[str, Any]: ...


class Here:
    """Verifies in this process."""

    name = "this process"

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def replay(self, directory: Path, mode: str) -> dict[str, Any]:
        return replayed(self._engine, str(directory), mode)


@dataclass(frozen=True)
class Difference:
    """A replay that found something else.

    Attributes:
        case: What was run.
        where: Which replayer, and how it replayed.
        live: What the backend came to.
        found: What the replay found.
        entry: The first entry after which it differs, if that could be told.
    """

    case: Case
    where: str
    live: dict[str, Any]
    found: dict[str, Any]
    entry: int | None

    def __str__(self) -> str:
        fields = [name for name in self.live if self.live[name] != self.found.get(name)]
        first = "an entry" if self.entry is None else f"entry {self.entry}"
        text = f"seed {self.case.seed}: {self.where} differs from {first} on in {', '.join(fields)}"
        return f"{text}\n  here  {json.dumps(self.live)}\n  there {json.dumps(self.found)}"


class Campaign:
    """Runs cases one by one; each is replayed in some of the environments, by turns.

    Args:
        engine: Runs the backends.
        replayers: Those that replay.
        each: How many of them replay one case.
        stride: Which come after each other: every stride-th.

    Attributes:
        counts: What happened so far.
    """

    def __init__(
        self,
        engine: Engine,
        replayers: Sequence[Replayer],
        each: int | None = None,
        stride: int = 1,
    ) -> None:
        self._engine = engine
        self._replayers = replayers
        self._each = len(replayers) if each is None else min(each, len(replayers))
        self._stride = stride
        self._turns = itertools.count()
        self.counts: Counter[str] = Counter()

    def run(self, seed: int, keep: Path | None = None) -> Difference | None:
        """Run the case of a seed.

        Args:
            seed: The seed.
            keep: Where the case and its directory are kept if a replay differs.
        """
        return self.run_case(random_case(seed), keep)

    def run_case(
        self, case: Case, keep: Path | None = None, *, everywhere: bool = False
    ) -> Difference | None:
        """Run a case.

        Args:
            case: The case.
            keep: As in :meth:`run`.
            everywhere: Let all replayers replay it on all ways.
        """
        with _lived(self._engine, case) as (directory, lived):
            self.counts += lived.counts
            self.counts["cases"] += 1
            if not lived.found:
                return None
            turns = itertools.product(self._replayers, MODES) if everywhere else self._turn()
            for replayer, mode in turns:
                found = _replayed_otherwise(replayer, mode, directory, lived.found)
                if found is not None:
                    entry = found.get("entry", self._first_entry(case, replayer, mode, found))
                    where = f"{replayer.name} ({mode})"
                    difference = Difference(case, where, lived.found, found, entry)
                    if keep is not None:
                        keep_difference(difference, directory, keep)
                    return difference
                self.counts["replays"] += 1
                self.counts[f"replays: {mode}"] += 1
                self.counts[f"replays: {replayer.name}"] += 1
                self.counts["entries compared"] += lived.found["entries"]
                if mode != "unread":
                    self.counts["answers computed again"] += lived.answers
        return None

    def _turn(self) -> Iterator[tuple[Replayer, str]]:
        """Say who replays the next case, and on which way."""
        turn, count = next(self._turns), len(self._replayers)
        for number in range(self._each):
            mode = MODES[(turn // count + number) % len(MODES)]
            yield self._replayers[(turn + number * self._stride) % count], mode

    def _first_entry(
        self, case: Case, replayer: Replayer, mode: str, found: dict[str, Any]
    ) -> int | None:
        """Run longer and longer beginnings of the case until one differs."""
        if "error" in found:  # there is nobody to ask any more
            return None
        for shorter in _beginnings(case):
            with _lived(self._engine, shorter) as (directory, lived):
                if lived.found and _replayed_otherwise(replayer, mode, directory, lived.found):
                    return int(lived.found["entries"]) - 1
        return None


def _beginnings(case: Case) -> Iterator[Case]:
    """Yield the case up to each of its entries."""
    for number, epoch in enumerate(case.epochs):
        for count in range(len(epoch.calls) + 1):
            last = replace(epoch, calls=epoch.calls[:count])
            yield replace(case, epochs=(*case.epochs[:number], last))


@contextmanager
def _lived(engine: Engine, case: Case) -> Iterator[tuple[Path, Lived]]:
    with tempfile.TemporaryDirectory(prefix="nodevms-campaign-") as name:
        directory = Path(name) / "backend"
        yield directory, live(engine, case, directory)


def _replayed_otherwise(
    replayer: Replayer, mode: str, directory: Path, lived: dict[str, Any]
) -> dict[str, Any] | None:
    """Return what a replay found if it is not what the backend came to."""
    found = replayer.replay(directory, mode)
    return None if found == lived else found


def keep_difference(difference: Difference, directory: Path, place: Path) -> None:
    """Keep what is needed to see a difference again."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copytree(directory, place / "backend")
    (place / "case.json").write_text(difference.case.to_json())
    (place / "difference.txt").write_text(f"{difference}\n")
