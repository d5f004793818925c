"""A power cut at any operation of a backend's life, with the files and the index it may leave."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from real_power import Machine, change_index, shrink_journal

from nodevms.audit.verifier import Verifier
from nodevms.errors import CouldNotCheckError, NodeVMSError
from nodevms.feed import Feed, Head
from nodevms.sandbox import Engine
from nodevms.vm.backend import Backend, Logged
from nodevms.vm.call_log import CallLog
from nodevms.vm.deploy import Deployment, deploy
from nodevms.vm.directory import LOG_PREFIX
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.entries import Call
from nodevms.vm.publication import Publication
from nodevms.vm.requests import Answer, Outcome, Request
from nodevms.vm.script import Script
from nodevms.vm.surroundings import Surroundings

SCRIPT = Script(
    "mixed",
    """exports.put = async (n, size) => {
      await System.files.writeFile(`/d/${n % 5}`, 'x'.repeat(size) + n)
      if (n % 7 === 6) await System.files.unlink(`/d/${n % 5}`)
      return n
    }
    exports.note = n => n""",
)
CALLS = (("note", 1), ("put", 1), ("put", 700), ("put", 70_000))


class Life:
    """A backend on a machine, and all that anybody outside may have seen of it.

    Attributes:
        answered: For each number that a call returned, the position of its entry.
        heads: By feed and length, every root that was synced, so that a reader may have it.
    """

    def __init__(self, directory: Path, machine: Machine, engine: Engine, random: Random) -> None:
        self.directory = directory
        self.machine = machine
        self.engine = engine
        self.random = random
        self.answered: dict[int, int] = {}
        self.heads: dict[tuple[str, int], bytes] = {}
        self._next = 0
        self._backend: Backend | None = None
        machine.watch = self._look

    def run(self, steps: int) -> None:
        """Open it, call it, publish it and close it; whatever fails ends it."""
        surroundings = Surroundings(self.engine, lambda: 1_700_000_000_000, lambda: "0" * 16)
        try:
            backend = deploy(Deployment(SCRIPT, self.directory), surroundings)
        except NodeVMSError:
            if self.machine.failing_at is None:
                raise
            return
        self._backend = backend
        try:
            publication = Publication(backend.store)
        except NodeVMSError:
            backend.close()
            return
        for _ in range(steps):
            batch = [self._call(backend) for _ in range(self.random.choice([1, 1, 2, 3, 5]))]
            if not backend.commit(batch, self._deliver):
                break
            publication.note(
                [(one.executed.changes, one.time_ms) for one in batch], batch[-1].seq + 1
            )
        publication.close()
        self._look()
        self._backend = None
        backend.close()

    def check(self) -> None:
        """Compare what is on the disk, opened by nobody, with all that was seen."""
        with CallLog.open(self.directory) as log:
            calls = [entry for entry in log if isinstance(entry, Call)]
            assert len({bytes(entry.call.args) for entry in calls}) == len(calls)
            for number, seq in self.answered.items():
                entry = log.get(seq)
                assert isinstance(entry, Call)
                assert json.loads(bytes(entry.call.args))[0] == number
        for name, folder, prefix in (
            ("log", self.directory, LOG_PREFIX),
            ("metadata", self.directory / "files/metadata", ""),
            ("content", self.directory / "files/content", ""),
        ):
            with Feed.open(folder, prefix, writable=False) as feed:
                for (of, length), root in self.heads.items():
                    if of == name:
                        assert feed.head_at(length).root_hash == root

    def _call(self, backend: Backend) -> Logged:
        number, self._next = self._next, self._next + 1
        method, size = self.random.choice(CALLS)
        return backend.execute(Request(method, b"[%d,%d]" % (number, size), None, number))

    def _deliver(self, outcomes: Sequence[tuple[Request, Outcome]]) -> None:
        for request, outcome in outcomes:
            if isinstance(outcome, Answer):
                assert isinstance(request.token, int)
                self.answered[request.token] = outcome.seq

    def _look(self) -> None:
        if self._backend is None:
            return
        store = self._backend.store
        for name, feed in (
            ("log", store.log),
            ("metadata", store.metadata),
            ("content", store.content),
        ):
            self._note(name, feed.synced_head())

    def _note(self, name: str, head: Head) -> None:
        if head.length:
            assert self.heads.setdefault((name, head.length), head.root_hash) == head.root_hash


@pytest.mark.parametrize("seed", range(24))
def test_a_power_cut_loses_nothing_acknowledged_and_signs_nothing_twice(
    seed: int, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:
        shrink_journal(monkeypatch)
    random = Random(seed)
    machine = Machine(tmp_path, monkeypatch)
    life = Life(tmp_path / "b", machine, engine, random)
    old = tmp_path / "old.db"

    def live() -> None:
        for _ in range(4):
            machine.failing_at = machine.operations + random.randrange(160)
            life.run(random.randrange(6))
            if random.random() < 0.5 and (tmp_path / "b" / "state.db").exists():
                shutil.copy(tmp_path / "b" / "state.db", old)
            if random.random() < 0.8:
                machine.lose_power(random)
                change_index(tmp_path / "b", old, random) if (tmp_path / "b").exists() else None
            machine.failing_at = None
            if (tmp_path / "b").exists() and random.random() < 0.6:
                with suppress(CouldNotCheckError):  # a torn last batch
                    Verifier(engine).verify(tmp_path / "b")
        life.run(2)
        life.check()

    on_engine_thread(live)
    report = Verifier(engine).verify(tmp_path / "b")
    assert not report.lag
