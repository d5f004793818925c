"""A backend that fails is opened again by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nodevms.errors import StorageError
from nodevms.sandbox import Engine
from nodevms.vm import VM
from nodevms.vm.errors import BackendClosedError, OutcomeUnknownError
from nodevms.vm.store import Store

SCRIPT = "exports.one = () => 1"


def fail(*_: object, **__: object) -> None:
    raise StorageError("the disk is full")


async def broken(vm: VM, directory: Path, patch: pytest.MonkeyPatch) -> None:
    await vm.deploy(dir=directory)
    patch.setattr(Store, "write", fail)
    with pytest.raises(OutcomeUnknownError, match="the disk is full"):
        await vm.exports.one()
    async with asyncio.timeout(30):
        while True:
            try:
                await vm.exports.one()
            except OutcomeUnknownError:  # it ran before the failure was known
                continue
            except BackendClosedError:
                return


async def test_it_runs_again_in_a_new_epoch_when_the_disk_does(
    engine: Engine, tmp_path: Path
) -> None:
    vm = VM(SCRIPT, engine=engine)
    with pytest.MonkeyPatch.context() as patch:
        await broken(vm, tmp_path / "b", patch)
    async with asyncio.timeout(30):
        while True:
            try:
                assert await vm.exports.one() == 1
                break
            except BackendClosedError:
                await asyncio.sleep(0.01)
    assert vm.epoch > 0
    await vm.close()
