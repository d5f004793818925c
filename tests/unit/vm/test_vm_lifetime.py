"""Beginnings and ends that meet: at its end a directory is free, and no thread is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodevms.errors import StorageError, UsageError
from nodevms.sandbox import Engine
from nodevms.vm import lifetime
from nodevms.vm.directory import Layout
from nodevms.vm.errors import BackendClosedError, OutcomeUnknownError
from nodevms.vm.store import Store
from nodevms.vm.vm import VM
from nodevms.vm.writer_lock import WriterLock

SCRIPT = "exports.f = () => 1"


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in set(threading.enumerate()) - before]
    assert [name for name in left if name.startswith("nodevms-")] == []


def assert_over(directory: Path) -> None:
    """Nobody holds the directory."""
    WriterLock(Layout(directory)).release()


async def test_one_of_two_deployments_at_once_is_refused(tmp_path: Path, engine: Engine) -> None:
    vm = VM(SCRIPT, engine=engine)
    outcomes = await asyncio.gather(
        vm.deploy(dir=tmp_path / "a"), vm.deploy(dir=tmp_path / "b"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), UsageError]
    assert (await vm.call("f", b"[]")).result == b"1"
    await vm.close()
    assert_over(tmp_path / "a")
    assert not (tmp_path / "b").exists()


async def test_a_deployment_that_failed_can_be_tried_again(tmp_path: Path, engine: Engine) -> None:
    vm = VM(SCRIPT, engine=engine)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        await vm.deploy(dir=tmp_path / "file")
    await vm.deploy(dir=tmp_path / "b")
    await vm.close()


async def test_a_close_waits_for_a_deployment_and_ends_it(tmp_path: Path, engine: Engine) -> None:
    vm = VM(SCRIPT, engine=engine)
    deploying = asyncio.ensure_future(vm.deploy(dir=tmp_path / "b"))
    await asyncio.sleep(0)
    await vm.close()
    assert_over(tmp_path / "b")
    with pytest.raises(BackendClosedError):
        await deploying


async def test_a_deployment_that_nobody_waits_for_is_ended_by_close(
    tmp_path: Path, engine: Engine
) -> None:
    vm = VM(SCRIPT, engine=engine)
    deploying = asyncio.ensure_future(vm.deploy(dir=tmp_path / "b"))
    await asyncio.sleep(0)
    deploying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deploying
    await vm.close()
    assert_over(tmp_path / "b")


async def test_a_close_waits_for_a_recovery(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "b")
    reopening, goes_on, real_open = threading.Event(), threading.Event(), lifetime.open_running

    def opened(*arguments: object, **options: object) -> object:
        reopening.set()
        assert goes_on.wait(20)
        return real_open(*arguments, **options)  # type: ignore[arg-type]

    def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(lifetime, "open_running", opened)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", fail)
        with pytest.raises(OutcomeUnknownError):
            await vm.call("f", b"[]")
        assert await asyncio.to_thread(reopening.wait, 20)
    closing = asyncio.ensure_future(vm.close())
    await asyncio.wait([closing], timeout=0.05)
    assert not closing.done()
    goes_on.set()
    await closing
    assert_over(tmp_path / "b")


async def test_a_close_does_not_sit_out_the_pause_between_two_attempts(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "b")
    tried = threading.Event()

    def fail(*_: object, **__: object) -> None:
        tried.set()
        raise StorageError("the disk is full")

    monkeypatch.setattr(lifetime, "RECOVERY_PAUSES_S", (0.0, 1000.0))
    monkeypatch.setattr(lifetime, "open_running", fail)
    monkeypatch.setattr(Store, "write", fail)
    with pytest.raises(OutcomeUnknownError):
        await vm.call("f", b"[]")
    assert await asyncio.to_thread(tried.wait, 20)
    await vm.close()
    assert_over(tmp_path / "b")
