"""Run a case as `exec` would: deployed, called, restarted and upgraded, in a directory.

Read-only calls run beside the logged ones, as they do on a host, so what they are computed at may
change from run to run; the log does not. Their answers are kept in the directory, for replays.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
import threading
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from random_cases import Call, Case, Epoch

from nodevms.archive import State
from nodevms.feed import Feed, parse_dat_url
from nodevms.json_text import compact
from nodevms.rpc import ReadOnlyAnswer
from nodevms.rpc.answers import error_member
from nodevms.sandbox import Engine
from nodevms.vm import VM, Limits
from nodevms.vm.directory import LOG_PREFIX
from nodevms.vm.errors import ArgumentsError, DirectoryError, ScriptError, UnknownMethodError
from nodevms.vm.requests import Answer

ANSWERS = "answers.jsonl"
"""Where in the directory the answers of read-only calls are, one a line."""
START_MS = 1_700_000_000_000
with closing(State.open(None)) as _nothing:
    EMPTY_ROOT = _nothing.root.hex()
SILENT = logging.getLogger("nodevms.campaign")
SILENT.disabled = True
_CODE = re.compile(r"(ERR_|MODULE_)[A-Z0-9_]{1,40}\Z")


@dataclass
class Lived:
    """What a backend came to.

    Attributes:
        found: What a replay must find: entries, gas, filesVersion, filesRoot, and heapHashes, one an
            epoch.
        counts: How many entries of which kind there were, and which limits stopped how many.
        answers: How many answers of read-only calls were kept.
    """

    found: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    answers: int = 0


def live(engine: Engine, case: Case, directory: Path) -> Lived:
    """Run a case in a directory that does not exist yet."""
    return asyncio.run(_Life(engine, case, directory).run())


class _Life:
    def __init__(self, engine: Engine, case: Case, directory: Path) -> None:
        self._engine = engine
        self._case = case
        self._directory = directory
        self._chance = random.Random(case.seed)
        self._chance_of_reads = random.Random(case.seed + 1)
        self._answers: list[bytes] = []
        self._time_ms = START_MS
        self._lived = Lived()

    async def run(self) -> Lived:
        for epoch in self._case.epochs:
            await self._run(epoch)
        if "heapHashes" in self._lived.found:
            self._read_log()
            (self._directory / ANSWERS).write_bytes(b"".join(self._answers))
            self._lived.answers = len(self._answers)
        return self._lived

    async def _run(self, epoch: Epoch) -> None:
        vm = VM(
            epoch.script,
            engine=self._engine,
            clock=lambda: self._time_ms,
            seeds=self._seed,
            script_log=SILENT,
        )
        try:
            await vm.deploy(
                dir=self._directory,
                debug=self._case.debug,
                upgrade=epoch.upgrade,
                limits=Limits(**epoch.limits),
            )
        except ScriptError as error:
            kind = "syntax" if "SyntaxError" in str(error) else error.code
            self._lived.counts[f"refused start: {kind}"] += 1
            return
        except DirectoryError as error:  # a restart with a script whose upgrade was refused
            self._lived.counts[f"refused start: {error.code}"] += 1
            return
        self._lived.counts[f"started: {'ES' if _is_es(epoch.script) else 'CommonJS'}"] += 1
        try:
            for calls in _together(epoch.calls):
                await self._call(vm, calls)
            assert vm._lifetime is not None
            assert vm._lifetime.running is not None
            hashes = self._lived.found.setdefault("heapHashes", [])
            hashes.append(vm._lifetime.running.backend.heap_hash())
        finally:
            await vm.close()

    async def _call(self, vm: VM, calls: list[Call]) -> None:
        waiting = []
        for call in calls:
            self._time_ms = max(START_MS, self._time_ms + call.later_ms)
            try:
                future = vm.call(call.method, call.arguments.encode(), call.caller)
            except (ArgumentsError, UnknownMethodError) as error:
                self._lived.counts[f"refused call: {error.code}"] += 1
            else:
                waiting.append((call, future))
        for call, future in waiting:
            answer = await future
            if answer.read_at is not None:
                self._keep(vm, call, answer)

    def _seed(self) -> str:
        """Read-only calls have their own, so that the log's do not depend on when those run."""
        reads = threading.current_thread().name.startswith("nodevms-reader")
        chance = self._chance_of_reads if reads else self._chance
        return f"{chance.getrandbits(64):016x}"

    def _keep(self, vm: VM, call: Call, answer: Answer) -> None:
        """Keep the answer of a read-only call as a client does."""
        assert answer.read_at is not None
        error = None if answer.error is None else error_member(answer.error, answer.stack)
        arguments = compact(call.arguments.encode())
        kept = ReadOnlyAnswer(
            parse_dat_url(vm.call_log_url),
            answer.epoch,
            call.caller,
            call.method,
            arguments,
            answer.result,
            error,
            answer.read_at,
        )
        self._answers.append(kept.to_json())
        thrown = json.loads(answer.error or b"{}")
        limit = thrown.get("code") if thrown.get("name") == "LimitError" else None
        ended = limit or ("threw" if answer.error is not None else "answered")
        self._lived.counts[f"read-only: {ended}"] += 1
        self._lived.counts["read-only: with a seed"] += answer.read_at.seed is not None

    def _read_log(self) -> None:
        with Feed.open(self._directory, LOG_PREFIX, writable=False) as log:
            entries = [json.loads(block) for block in log.get_many(0, log.length)]
        results = [entry["result"] for entry in entries]
        roots = [result["filesRoot"] for result in results if "filesRoot" in result]
        self._lived.found |= {
            "entries": len(entries),
            "gas": sum(result["gas"] for result in results),
            "filesVersion": results[-1]["filesVersion"],
            "filesRoot": roots[-1] if roots else EMPTY_ROOT,
        }
        counts = self._lived.counts
        counts["gas"] += self._lived.found["gas"]
        for entry, result in zip(entries, results, strict=True):
            counts[f"entry: {entry['type']}"] += 1
            counts["with changes"] += "changes" in result
            counts["with a seed"] += "seed" in entry.get("call", entry)
            error = result.get("err")
            if error is not None and error.get("name") == "LimitError" and "code" in error:
                counts[f"undone: {error['code']}"] += 1
            elif error is not None:
                counts["threw"] += 1
                if _CODE.match(str(error.get("code"))):
                    counts[f"threw: {error['code']}"] += 1


def _is_es(script: str) -> bool:
    return re.search(r"^export ", script, re.MULTILINE) is not None


def _together(calls: tuple[Call, ...]) -> list[list[Call]]:
    """Let calls that come at the same time wait together, four at most."""
    groups: list[list[Call]] = []
    for call in calls:
        if call.later_ms == 0 and groups and len(groups[-1]) < 4:
            groups[-1].append(call)
        else:
            groups.append([call])
    return groups
