"""A disk that fails for a while: the backend opens again by itself, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random

import pytest
from real_power import Machine, shrink_journal

from nodevms.audit.verifier import Verifier
from nodevms.errors import StorageError
from nodevms.feed import Feed
from nodevms.sandbox import Engine
from nodevms.vm import lifetime
from nodevms.vm.call_log import CallLog
from nodevms.vm.entries import Call
from nodevms.vm.errors import BackendClosedError, OutcomeUnknownError
from nodevms.vm.vm import VM

SCRIPT = """
exports.put = async (n, size) => {
  await System.files.writeFile(`/d/${n % 5}`, 'x'.repeat(size) + n)
  if (n % 7 === 6) await System.files.unlink(`/d/${n % 5}`)
  return n
}
exports.note = n => n
"""
CALLS = (("note", 1), ("put", 1), ("put", 700), ("put", 70_000))
PATIENCE_S = 60


class Callers:
    """What those who call a backend, and those who read its feeds, were told."""

    def __init__(self, vm: VM, random: Random) -> None:
        self._vm = vm
        self._random = random
        self.sent = 0
        self.answered: dict[int, int] = {}
        self.never_ran: set[int] = set()
        self.heads: dict[tuple[str, int], bytes] = {}

    async def call_together(self, count: int) -> bool:
        """Make some calls at once; tell whether all were answered."""
        outcomes = await asyncio.gather(*(self._call() for _ in range(count)))
        for name, (feed, _, _) in self._feeds().items():
            head = feed.synced_head()
            known = self.heads.setdefault((name, head.length), head.root_hash)
            assert known == head.root_hash
        return all(outcomes)

    def _feeds(self) -> dict[str, tuple[Feed, Path, str]]:
        try:
            return self._vm.feeds
        except BackendClosedError:
            return {}

    async def _call(self) -> bool:
        number, self.sent = self.sent, self.sent + 1
        method, size = self._random.choice(CALLS)
        try:
            answer = await self._vm.call(method, b"[%d,%d]" % (number, size))
        except BackendClosedError:
            self.never_ran.add(number)
            return False
        except (OutcomeUnknownError, StorageError):
            return False
        assert json.loads(answer.result or b"") == number
        self.answered[number] = answer.seq
        return True


@pytest.mark.parametrize("seed", range(20))
async def test_a_failing_disk_loses_and_doubles_nothing(
    seed: int, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if seed % 2:
        shrink_journal(monkeypatch)
    random = Random(seed)
    machine = Machine(tmp_path, monkeypatch)
    monkeypatch.setattr(lifetime, "RECOVERY_PAUSES_S", (0.0, 0.002))
    vm = VM(SCRIPT, engine=engine)
    callers = Callers(vm, random)
    await vm.deploy(dir=tmp_path / "b")
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(3):
            machine.failing_at = machine.operations + random.randrange(80)
            machine.failing_until = machine.failing_at + random.choice([1, 1, 2, 5, 40])
            answered = False
            while not answered or machine.operations < machine.failing_until:
                answered = await callers.call_together(random.choice([1, 2, 6]))
                await asyncio.sleep(0 if answered else 0.001)
    failed_at = machine.operations + random.randrange(40)
    machine.failing_at, machine.failing_until = failed_at, failed_at + random.choice([0, 1])
    await vm.close()
    machine.lose_power(random)
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "b")
    await vm.close()

    with CallLog.open(tmp_path / "b") as log:
        numbers = {
            seq: json.loads(bytes(entry.call.args))[0]
            for seq, entry in enumerate(log)
            if isinstance(entry, Call)
        }
    assert len(set(numbers.values())) == len(numbers)
    assert {number: seq for seq, number in numbers.items() if number in callers.answered} == (
        callers.answered
    )
    assert callers.never_ran.isdisjoint(numbers.values())
    for name, (folder, prefix) in {
        "call-log": (tmp_path / "b", "call-log."),
        "metadata": (tmp_path / "b/files/metadata", ""),
        "content": (tmp_path / "b/files/content", ""),
    }.items():
        with Feed.open(folder, prefix, writable=False) as feed:
            for (of, length), root in callers.heads.items():
                assert of != name or feed.head_at(length).root_hash == root
    assert not Verifier(engine).verify(tmp_path / "b").lag
