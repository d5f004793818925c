"""Verifies directories, one a line, and says what each came to: a program for other environments.

It needs nothing but an installed nodevms. Each request is a JSON line `{"directory", "mode"}`,
each answer a JSON line. The modes replay the same log on different ways:

- `plain`: as `nodevms verify` does.
- `unread`: without the answers of read-only calls, which all others compute again.
- `snapshots`: a snapshot before each call.
- `journal`: no snapshots, so that an undo runs all entries of the epoch again.
- `undone`: before each call another one that is undone.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nodevms.audit import AnswerFalseError, DivergenceError, SavedAnswer, Verifier
from nodevms.errors import NodeVMSError
from nodevms.rpc import ReadOnlyAnswer
from nodevms.sandbox import Engine, EngineFaultError, Meter, Operation, Outcome, Sandbox, journal
from nodevms.vm.execution import Execution

MODES = ("plain", "snapshots", "journal", "undone", "unread")
ANSWERS = "answers.jsonl"


def main() -> None:
    engine = Engine()
    print(json.dumps(hello(engine)), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(replayed(engine, request["directory"], request["mode"])), flush=True)


def hello(engine: Engine) -> dict[str, str]:
    """Say what this is."""
    return {
        "python": platform.python_version(),
        "wasmtime": version("wasmtime"),
        "engine": engine.id,
    }


def replayed(engine: Engine, directory: str, mode: str) -> dict[str, Any]:
    """Verify a directory, and return what was found or where it differs."""
    heap_hashes: list[str] = []
    answers = [] if mode == "unread" else _answers(Path(directory))
    try:
        with _MODES[mode](), _heap_hashes(heap_hashes):
            report = Verifier(engine).verify(directory, answers=answers)
    except NodeVMSError as error:
        found = {"error": error.code, "message": str(error)[:2000]}
        found["entry"] = getattr(error, "entry", None)
        if isinstance(error, DivergenceError | AnswerFalseError):
            divergence = error.divergence
            found |= {"field": divergence.field, "expected": divergence.expected[:2000]}
            found["found"] = divergence.found[:2000]
        return found
    return {
        "entries": report.entries,
        "gas": report.gas,
        "filesVersion": report.files_version,
        "filesRoot": report.files_root,
        "heapHashes": heap_hashes,
    }


def _answers(directory: Path) -> list[SavedAnswer]:
    place = directory / ANSWERS
    lines = place.read_bytes().split(b"\n")[:-1] if place.exists() else []
    return [
        SavedAnswer(f"line {number}", ReadOnlyAnswer.from_json(line))
        for number, line in enumerate(lines)
    ]


class _Deaf:
    """A host that refuses everything, for calls that are undone."""

    def call(self, operation: int, _request: bytes, meter: Meter) -> bytes:
        if operation == Operation.SEED:
            return b"fedcba9876543210"
        if operation == Operation.CONSOLE:
            return b""
        meter.charge(1_000)
        return b'{"error":{"name":"NotFoundError","message":"no such file"}}'


@contextmanager
def _heap_hashes(found: list[str]) -> Iterator[None]:
    """Note the memory at the end of each epoch; a report has that of the last one."""
    real: Callable[..., None] = Execution.close

    def close(self: Execution) -> None:
        with suppress(EngineFaultError):  # it failed, and the verifier says so
            found.append(self.heap_hash())
        real(self)

    Execution.close = close  # type: ignore[method-assign]
    try:
        yield
    finally:
        Execution.close = real  # type: ignore[method-assign]


@contextmanager
def _bounds(**bounds: int) -> Iterator[None]:
    before = {name: getattr(journal, name) for name in bounds}
    try:
        for name, value in bounds.items():
            setattr(journal, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(journal, name, value)


@contextmanager
def _undone_calls() -> Iterator[None]:
    real: Callable[..., Outcome] = Sandbox.call

    def call(self: Sandbox, method: str, arguments: bytes, **rest: Any) -> Outcome:
        spoilt = real(self, "spoil", b"[]", caller="nobody", time_ms=1, host=_Deaf())
        if not spoilt.undone:  # the script took it away
            self.undo_last("ERR_SPOILT", "")
        return real(self, method, arguments, **rest)

    Sandbox.call = call  # type: ignore[method-assign]
    try:
        yield
    finally:
        Sandbox.call = real  # type: ignore[method-assign]


_MODES: dict[str, Callable[[], Any]] = {
    "plain": _bounds,
    "snapshots": lambda: _bounds(ENTRIES_MAX=1),
    "journal": lambda: _bounds(ENTRIES_MAX=1 << 30, GAS_MAX=1 << 60),
    "undone": _undone_calls,
    "unread": _bounds,
}

if __name__ == "__main__":
    with suppress(BrokenPipeError):  # nobody waits for the answer any more
        main()
