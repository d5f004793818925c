"""The call log as Python programs read it, and proofs that an entry is in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from nodevms import VM, CallLog, ProvedFalseError, StorageError, UsageError
from nodevms.sandbox import Engine
from nodevms.vm.entries import Call, Init


@pytest.fixture
async def vm(engine: Engine, tmp_path: Path) -> AsyncIterator[VM]:
    vm = VM("exports.echo = value => value", engine=engine)
    await vm.deploy(dir=tmp_path / "backend")
    for number in range(4):
        await vm.exports.echo(number)
    yield vm
    await vm.close()


@pytest.fixture(params=["running", "in use"])
def log(request: pytest.FixtureRequest, vm: VM, tmp_path: Path) -> CallLog:
    return vm.call_log if request.param == "running" else CallLog.open(tmp_path / "backend")


def test_entries(vm: VM, log: CallLog) -> None:
    assert log.url == vm.call_log_url
    assert len(log) == log.length == 5
    first, *calls = log
    assert isinstance(first, Init)
    assert [bytes(call.call.args) for call in calls if isinstance(call, Call)] == [
        b"[0]",
        b"[1]",
        b"[2]",
        b"[3]",
    ]
    assert list(log.list(3)) == calls[2:]
    assert list(log.list(1, 3)) == calls[:2]
    assert list(log.list(9)) == list(log.list(3, 2)) == []
    assert log.get(4) == calls[3]
    assert log.block(4).endswith(b"}\n")
    log.close()


@pytest.mark.parametrize("seq", [-1, 5, 10**20])
def test_there_is_no_such_entry(log: CallLog, seq: int) -> None:
    for ask in (log.get, log.block, log.prove):
        with pytest.raises(UsageError, match="5 entries"):
            ask(seq)
    with pytest.raises(UsageError):
        next(log.list(-1))
    log.close()


async def test_a_proof_needs_the_url_and_nothing_else(vm: VM, log: CallLog) -> None:
    url, entry, proof = log.url, log.get(2), log.prove(2)
    log.close()
    await vm.close()
    assert proof.check(url) == entry
    for forged in (
        replace(proof, seq=3),
        replace(proof, block=proof.block.replace(b"[1]", b"[2]")),
        replace(proof, proof=replace(proof.proof, signature=bytes(64))),
        replace(proof, proof=replace(proof.proof, nodes=proof.proof.nodes[1:])),
    ):
        with pytest.raises(ProvedFalseError):
            forged.check(url)
    with pytest.raises(ProvedFalseError):
        proof.check("dat://" + "0" * 64)


async def test_closing_the_log_of_a_running_backend_does_no_harm(vm: VM) -> None:
    with vm.call_log as log:
        assert len(log) == 5
    assert await vm.exports.echo("still there") == "still there"


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        CallLog.open(tmp_path)
