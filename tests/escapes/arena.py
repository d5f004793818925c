"""Runs one attack through the door that ``nodevms exec`` uses, beside callers who mean well."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

from attack import Attack, Step
from msgspec import Raw
from outside import nothing_but

from nodevms.errors import NodeVMSError
from nodevms.feed import parse_dat_url
from nodevms.json_text import compact
from nodevms.rpc import ReadOnlyAnswer
from nodevms.rpc.answers import error_member
from nodevms.sandbox import Engine
from nodevms.vm import VM, Answer, CallLog, DatArchive, Limits
from nodevms.vm.entries import Call, Entry

SEED = "0123456789abcdef"
START_MS = 1_700_000_000_000
CANARY = "canary"
# Half of the default memory: attacks that use all of it end sooner.
LIMITS = {"gas": 1_000_000_000, "memory_bytes": 32 << 20}
NEIGHBOUR = "let n = 0; exports.next = () => ++n"


@dataclass
class Ran:
    """What came of an attack.

    Attributes:
        answers: Each step's answer, or the sentence of its refusal; None for a restart.
        canaries: The answers to the second caller's calls.
        neighbour: The answers of another backend in the same process.
        logged: Caller, method, arguments and answer of each accepted call, in order.
        reads: The answers of read-only calls, which are in no log.
        entries: What the log holds.
        files: What the files are at the end.
        console: What the script printed.
        failure: The error of the start.
    """

    answers: list[Answer | str | None] = field(default_factory=list)
    canaries: list[str | None] = field(default_factory=list)
    neighbour: list[bytes | None] = field(default_factory=list)
    logged: list[tuple[str | None, str, bytes, Answer]] = field(default_factory=list)
    reads: list[ReadOnlyAnswer] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    console: list[str] = field(default_factory=list)
    failure: str | None = None


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


def run(attack: Attack, engine: Engine, folder: Path) -> Ran:
    """Play an attack in ``folder / "backend"``, and read back what it left."""
    ran = Ran()
    with nothing_but(folder):
        asyncio.run(_Arena(attack, engine, folder, ran).play())
    if attack.fails is None:
        _read_back(folder / "backend", ran)
    return ran


class _Arena:
    def __init__(self, attack: Attack, engine: Engine, folder: Path, ran: Ran) -> None:
        self._attack = attack
        self._engine = engine
        self._folder = folder
        self._ran = ran
        self._ticks = itertools.count(START_MS, 1000)
        self._log = logging.Logger("script", logging.DEBUG)
        self._log.addHandler(_Lines(ran.console))

    async def play(self) -> None:
        neighbour = VM(NEIGHBOUR, engine=self._engine)
        await neighbour.deploy(dir=self._folder / "neighbour")
        try:
            await self._play_beside(neighbour)
        finally:
            await neighbour.close()

    async def _play_beside(self, neighbour: VM) -> None:
        try:
            vm = await self._deploy()
        except NodeVMSError as error:
            self._ran.failure = str(error)
            self._ran.neighbour.append((await neighbour.call("next", b"[]")).result)
            return
        try:
            for step in self._attack.steps:
                if step.method is None:
                    await vm.close()
                    vm = await self._deploy()
                    self._ran.answers.append(None)
                else:
                    await self._call(vm, neighbour, step, step.method)
        finally:
            await vm.close()

    async def _deploy(self) -> VM:
        vm = VM(
            self._attack.code,
            engine=self._engine,
            clock=lambda: next(self._ticks),
            seeds=lambda: SEED,
            script_log=self._log,
        )
        limits = Limits(**{**LIMITS, **self._attack.limits})
        await vm.deploy(dir=self._folder / "backend", debug=True, limits=limits)
        return vm

    async def _call(self, vm: VM, neighbour: VM, step: Step, method: str) -> None:
        """Make a call and, without waiting for it, those of the second caller and the neighbour."""
        ran = self._ran
        beside = neighbour.call("next", b"[]")
        waiting = []
        for caller, name, arguments in (
            (step.caller, method, step.arguments.encode()),
            *([(CANARY, "canary", b"[%d]" % len(ran.canaries))] if self._attack.canary else []),
        ):
            try:
                waiting.append((caller, name, arguments, vm.call(name, arguments, caller)))
            except NodeVMSError as error:
                ran.answers.append(str(error))
        for caller, name, arguments, future in waiting:
            answer = await future
            if answer.read_at is None:
                ran.logged.append((caller, name, compact(arguments), answer))
            else:
                key = parse_dat_url(vm.call_log_url)
                ran.reads.append(_kept(key, caller, name, compact(arguments), answer))
            if caller == CANARY:
                ran.canaries.append(json.loads(answer.result or b"null"))
            else:
                ran.answers.append(answer)
        ran.neighbour.append((await beside).result)


def _kept(
    key: bytes, caller: str | None, method: str, arguments: bytes, answer: Answer
) -> ReadOnlyAnswer:
    """Return the answer of a read-only call as a client keeps it."""
    assert answer.read_at is not None
    return ReadOnlyAnswer(
        key=key,
        epoch=answer.epoch,
        user=caller,
        method=method,
        arguments=arguments,
        result=answer.result,
        error=None if answer.error is None else error_member(answer.error),
        read_at=answer.read_at,
    )


def _read_back(directory: Path, ran: Ran) -> None:
    with CallLog.open(directory) as log:
        ran.entries += log.list()
    with DatArchive.open(directory) as files:
        for path in files.readdir("/", recursive=True):
            if not files.stat(path).is_folder:
                ran.files["/" + path] = files.read_file(path, "binary").decode(
                    "utf-8", "backslashreplace"
                )


def as_logged(
    entries: list[Entry],
) -> list[tuple[str | None, str, bytes, bytes | None, bytes | None, int]]:
    """Return caller, method, arguments, result, error and position of each call in a log."""
    return [
        (
            entry.call.userId,
            entry.call.methodName,
            bytes(entry.call.args),
            _bytes(entry.result.res),
            _bytes(entry.result.err),
            seq,
        )
        for seq, entry in enumerate(entries)
        if isinstance(entry, Call)
    ]


def _bytes(raw: object) -> bytes | None:
    return bytes(raw) if isinstance(raw, Raw) else None
