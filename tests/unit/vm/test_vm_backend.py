"""One backend without threads: what is answered when, and what a failure leaves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nodevms.errors import StorageError
from nodevms.sandbox import Engine
from nodevms.vm.backend import Backend
from nodevms.vm.deploy import Deployment, deploy
from nodevms.vm.engine_thread import on_engine_thread
from nodevms.vm.errors import OutcomeUnknownError
from nodevms.vm.requests import Answer, Outcome, Request
from nodevms.vm.script import Script
from nodevms.vm.surroundings import Surroundings

SCRIPT = Script(
    "increment",
    """exports.increment = async () => {
      const n = (await System.files.readFile('/n', 'json') || 0) + 1
      await System.files.writeFile('/n', n)
      return n
    }""",
)


class Answers:
    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def deliver(self, outcomes: Sequence[tuple[Request, Outcome]]) -> None:
        self.outcomes += [outcome for _, outcome in outcomes]


def opened(directory: Path, engine: Engine) -> Backend:
    surroundings = Surroundings(engine, lambda: 1_700_000_000_000, lambda: "0" * 16)
    return deploy(Deployment(SCRIPT, directory), surroundings)


def call(backend: Backend, answers: Answers) -> bool:
    logged = backend.execute(Request("increment", b"[]", None, None))
    return backend.commit([logged], answers.deliver)


def fail(*_: object, **__: object) -> None:
    raise StorageError("the disk is full")


def test_an_index_that_cannot_be_written_takes_no_answer_back(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers()

    def work() -> None:
        backend = opened(tmp_path / "b", engine)
        assert call(backend, answers)
        monkeypatch.setattr(backend.store.state, "flush", fail)
        assert not call(backend, answers)
        backend.close()
        backend = opened(tmp_path / "b", engine)
        assert call(backend, answers)
        backend.close()

    on_engine_thread(work)
    assert [answer.result for answer in answers.outcomes if isinstance(answer, Answer)] == [
        b"1",
        b"2",
        b"3",
    ]


def test_a_log_that_cannot_be_written_leaves_the_outcome_unknown(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers()

    def work() -> None:
        backend = opened(tmp_path / "b", engine)
        monkeypatch.setattr(backend.store.log, "append", fail)
        assert not call(backend, answers)
        backend.close()

    on_engine_thread(work)
    assert [type(outcome) for outcome in answers.outcomes] == [OutcomeUnknownError]
