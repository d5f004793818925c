"""A long determinism campaign, by hand: `make soak ARGS="--minutes 60"`.

Random backends live in this environment; the logs are replayed by every Python of this machine with
several releases of wasmtime, on different ways, each by three of them. Entries, gas, file roots and heap hashes must be
equal. It prints how far it is, and at the end what ran. At the first difference it keeps the case and
exits with 1; with 3 when no environment can be made or a worker fails.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import IO

import elsewhere
from campaign import Campaign
from elsewhere import CampaignError, Environment, OtherProcess
from random_cases import Case

from nodevms.sandbox import Engine

SECONDS_BETWEEN_LINES = 15
PLACE = elsewhere.ROOT / ".build" / "soak"
RELEASES = 3
REPLAYS = 3
SEED_STEP = 1_000_000_000
"""Workers count their seeds from here on, so that no two of them run the same."""


def main() -> int:
    options = _options()
    if options.worker is not None:
        return _work(options)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**9)
    if options.case is not None:
        seed = Case.from_json(options.case.read_text()).seed
    try:
        environments = _environments()
    except CampaignError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 3
    print(f"seed {seed}, {options.workers} workers, {options.minutes} minutes; replayed by:")
    for environment in environments:
        print(f"  {environment.name}", flush=True)
    return _Watch(options, seed, environments).run()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="make soak ARGS=…")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, help="the first one; by default another each time")
    parser.add_argument("--cases", type=int, help="stop each worker after so many")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--case", type=Path, help="replay a case.json everywhere on all ways")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        options.workers = options.cases = 1
    return options


def _environments() -> list[Environment]:
    """Each Python with three releases of wasmtime: the oldest that works, one, and the newest."""
    built, newest = elsewhere.wheel(PLACE), elsewhere.newest_wasmtime()
    releases = [elsewhere.OLDEST, elsewhere.BETWEEN, newest]
    return [
        elsewhere.environment(python, wasmtime, built, PLACE)
        for python in elsewhere.pythons().values()
        for wasmtime in releases
    ]


# One worker


def _work(options: argparse.Namespace) -> int:
    """Run cases and say after each, in a JSON line, what happened so far."""
    where = [Environment(name, Path(python)) for name, python in json.loads(options.worker)]
    replayers = [OtherProcess(environment) for environment in where]
    # Three that stand so far apart have different Pythons and different releases.
    campaign = Campaign(Engine(), replayers, each=REPLAYS, stride=RELEASES + 1)
    _tell({"replayers": [[r.name, r.about] for r in replayers]})
    deadline = time.monotonic() + options.minutes * 60
    number = 0
    while time.monotonic() < deadline and (options.cases is None or number < options.cases):
        seed = options.seed + number
        number += 1
        keep = PLACE / "differences" / str(seed)
        if options.case is None:
            difference = campaign.run(seed, keep)
        else:
            case = Case.from_json(options.case.read_text())
            difference = campaign.run_case(case, keep, everywhere=True)
        _tell({"seed": seed, "counts": campaign.counts})
        if difference is not None:
            _tell({"difference": str(difference), "kept": str(keep)})
            break
    for replayer in replayers:
        replayer.close()
    return 0


def _tell(document: object) -> None:
    print(json.dumps(document), flush=True)


# Those who watch the workers


class _Watch:
    def __init__(
        self, options: argparse.Namespace, seed: int, environments: list[Environment]
    ) -> None:
        self._options = options
        self._environments = environments
        self._seeds = [seed + SEED_STEP * number for number in range(options.workers)]
        self._counts = [Counter[str]() for _ in self._seeds]
        self._last = list(self._seeds)
        self._about: list[list[object]] = []
        self._differences: list[str] = []
        self._failed = self._interrupted = False
        self._begun = time.monotonic()

    def run(self) -> int:
        workers = [self._worker(seed) for seed in self._seeds]
        try:
            self._listen(workers)
        except KeyboardInterrupt:
            print("interrupted: this is what ran", flush=True)
            self._interrupted = True
        for worker in workers:
            if self._differences or self._interrupted:
                worker.terminate()
            self._failed |= worker.wait() != 0
        return self._report()

    def _listen(self, workers: list[subprocess.Popen[str]]) -> None:
        """Hear the workers to their end, or to the first difference."""
        open_ends: dict[IO[str], int] = {w.stdout: n for n, w in enumerate(workers) if w.stdout}
        next_line = self._begun
        while open_ends and not self._differences:
            ready, _, _ = select.select(list(open_ends), [], [], 1)
            for end in ready:
                line = end.readline()
                if line:
                    self._hear(open_ends[end], json.loads(line))
                else:
                    del open_ends[end]
            if time.monotonic() >= next_line:
                next_line = time.monotonic() + SECONDS_BETWEEN_LINES
                self._say_progress()

    def _worker(self, seed: int) -> subprocess.Popen[str]:
        options = self._options
        where = [[environment.name, str(environment.python)] for environment in self._environments]
        command = [sys.executable, __file__, "--worker", json.dumps(where), "--seed", str(seed)]
        command += ["--minutes", str(options.minutes)]
        if options.cases is not None:
            command += ["--cases", str(options.cases)]
        if options.case is not None:
            command += ["--case", str(options.case)]
        # A session of its own: an interrupt at the keyboard is for the one who watches.
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def _hear(self, number: int, document: dict[str, object]) -> None:
        if "counts" in document:
            self._counts[number] = Counter(document["counts"])  # type: ignore[arg-type]
            self._last[number] = document["seed"]  # type: ignore[assignment]
        elif "difference" in document:
            self._differences.append(f"{document['difference']}\nkept in {document['kept']}")
        else:
            self._about = document["replayers"]  # type: ignore[assignment]

    def _total(self) -> Counter[str]:
        return sum(self._counts, Counter())

    def _say_progress(self) -> None:
        total, minutes = self._total(), (time.monotonic() - self._begun) / 60
        undone = sum(count for name, count in total.items() if name.startswith("undone: "))
        print(
            f"{minutes:6.1f} min  {total['cases']:>7,} cases  {total['entry: call']:>9,} calls  "
            f"{undone:>7,} undone  {total['replays']:>9,} replays  "
            f"{total['entries compared']:>11,} entries compared",
            flush=True,
        )

    def _report(self) -> int:
        self._say_progress()
        for first, last in zip(self._seeds, self._last, strict=True):
            print(f"seeds {first} to {last}")
        for name, about in self._about:
            print(f"replayed by {name}: {about}")
        for name, count in sorted(self._total().items()):
            print(f"{count:>16,}  {name}")
        for difference in self._differences:
            print(f"DIFFERENCE: {difference}")
        if self._differences:
            print("it is NOT the same everywhere")
            return 1
        if self._failed and not self._interrupted:
            print("a worker failed: the campaign is not over, and says nothing")
            return 3
        print("no difference")
        return 0


if __name__ == "__main__":
    sys.exit(main())
