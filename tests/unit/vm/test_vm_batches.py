"""What waits in memory for the disk is bounded, contents of files included."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from nodevms.sandbox import Engine
from nodevms.vm.backend import Backend, Logged
from nodevms.vm.requests import Deliver, Request
from nodevms.vm.vm import VM
from nodevms.vm.worker import BATCH_BYTES_MAX

MIB = 1024 * 1024
SCRIPT = "exports.put = async n => { await System.files.writeFile('/f', 'x'.repeat(1048576)) }"


async def test_the_contents_of_a_batch_are_bounded(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = threading.Semaphore(0)
    batches: list[int] = []
    execute, commit = Backend.execute, Backend.commit

    def executing(backend: Backend, request: Request) -> Logged:
        ran.release()
        return execute(backend, request)

    def committing(backend: Backend, batch: list[Logged], deliver: Deliver) -> bool:
        for _ in range(0 if batches else 9):  # behind the first, as many as may wait
            assert ran.acquire(timeout=20)
        batches.append(sum(one.executed.changes[0].size for one in batch))
        return commit(backend, batch, deliver)

    monkeypatch.setattr(Backend, "execute", executing)
    monkeypatch.setattr(Backend, "commit", committing)
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "b")
    await asyncio.gather(*(vm.call("put", b"[]") for _ in range(40)))
    await vm.close()
    assert sum(batches) == 40 * MIB
    assert max(batches) <= BATCH_BYTES_MAX + MIB
