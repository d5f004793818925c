"""The campaign: cases live here and are replayed elsewhere; everything must be equal."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from live_run import live
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
    """

    case: Case
    where: str
    live: dict[str, Any]
    found: dict[str, Any]

    def __str__(self) -> str:
        fields = [name for name in self.live if self.live[name] != self.found.get(name)]
        text = f"seed {self.case.seed}: {self.where} differs in {', '.join(fields)}"
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

    def run_case(self, case: Case, keep: Path | None = None) -> Difference | None:
        """Run a case."""
        with tempfile.TemporaryDirectory(prefix="nodevms-campaign-") as name:
            directory = Path(name) / "backend"
            lived = live(self._engine, case, directory)
            self.counts += lived.counts
            self.counts["cases"] += 1
            if not lived.found:
                return None
            difference = self._replay(case, directory, lived.found)
            if difference is not None and keep is not None:
                keep_difference(difference, directory, keep)
            return difference

    def _replay(self, case: Case, directory: Path, lived: dict[str, Any]) -> Difference | None:
        turn = next(self._turns)
        for number in range(self._each):
            replayer = self._replayers[(turn + number * self._stride) % len(self._replayers)]
            mode = MODES[(turn // len(self._replayers) + number) % len(MODES)]
            found = replayer.replay(directory, mode)
            wanted = lived
            if lived["filesRoot"] is None:  # nothing was written, and no entry has a root
                wanted = {**lived, "filesRoot": found.get("filesRoot")}
            if found != wanted:
                return Difference(case, f"{replayer.name} ({mode})", wanted, found)
            self.counts["replays"] += 1
            self.counts[f"replays: {mode}"] += 1
            self.counts[f"replays: {replayer.name}"] += 1
            self.counts["entries compared"] += found["entries"]
        return None


def keep_difference(difference: Difference, directory: Path, place: Path) -> None:
    """Keep what is needed to see a difference again."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copytree(directory, place / "backend")
    (place / "case.json").write_text(difference.case.to_json())
    (place / "difference.txt").write_text(f"{difference}\n")
