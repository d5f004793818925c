"""What a failure of the publisher means for those who wait for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from nodevms.archive import Publisher
from nodevms.audit.verifier import Verifier
from nodevms.errors import StorageError
from nodevms.sandbox import Engine
from nodevms.vm import publication
from nodevms.vm.vm import VM

SCRIPT = """exports.put = async n => {
  for (let i = 0; i < 4; i++) await System.files.writeFile(`/${n}/${i}`, n)
}"""


@pytest.mark.parametrize("error", [StorageError("the disk is full"), RuntimeError("a mistake")])
async def test_calls_go_on_without_a_publisher_and_the_next_start_publishes(
    error: Exception, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(publication, "GATHERED_MAX", 3)
    vm = VM(SCRIPT, engine=engine)
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "publish", fail)
        await vm.deploy(dir=tmp_path / "b")
        async with asyncio.timeout(20):
            for number in range(5):
                await vm.call("put", b"[%d]" % number)
        await vm.close()
    assert Verifier(engine).verify(tmp_path / "b").publications == 0
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "b")
    await vm.close()
    report = Verifier(engine).verify(tmp_path / "b")
    assert report.published_entries == report.entries == 7
    assert not report.lag
