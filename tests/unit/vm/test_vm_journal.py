"""A backend that died: its feeds' files as they were long ago, and the journal that has the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nodevms.audit.verifier import Verifier
from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.sandbox import Engine
from nodevms.vm.directory import Layout
from nodevms.vm.vm import VM

SCRIPT = """
exports.increment = async () => {
  const n = (await System.files.readFile('/n', 'json') || 0) + 1
  await System.files.writeFile('/n', n)
  return n
}
"""


async def died(tmp_path: Path, engine: Engine) -> Path:
    """Return what a power cut may leave of a backend that answered seven calls."""
    vm, place, left = VM(SCRIPT, engine=engine), tmp_path / "live", tmp_path / "left"
    await vm.deploy(dir=place)
    try:
        shutil.copytree(place, left)
        for _ in range(7):
            await vm.call("increment", b"[]")
        shutil.copy(place / "journal", left / "journal")
    finally:
        await vm.close()
    return left


async def test_what_was_answered_is_there_though_only_the_journal_had_it(
    tmp_path: Path, engine: Engine
) -> None:
    left = await died(tmp_path, engine)
    before = (left / "call-log.data").stat().st_size
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=left)
    answer = await vm.call("increment", b"[]")
    await vm.close()
    assert answer.result == b"8"
    assert (left / "call-log.data").stat().st_size > before
    assert (left / "journal").stat().st_size == 0
    assert Verifier(engine).verify(left).calls == 8


async def test_nobody_is_called_a_liar_before_the_journal_was_redone(
    tmp_path: Path, engine: Engine
) -> None:
    left = await died(tmp_path, engine)
    log = left / "call-log.data"
    log.write_bytes(log.read_bytes()[:-30] + bytes(30))  # a sector that never came to the disk
    with pytest.raises(CouldNotCheckError) as caught:
        Verifier(engine).verify(left)
    assert caught.value.code == "feed-torn"
    Layout(left).journal.write_bytes(b"")
    with pytest.raises(ProvedFalseError):
        Verifier(engine).verify(left)
