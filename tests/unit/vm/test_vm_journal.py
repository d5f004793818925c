"""A backend that died: its feeds' files as they were long ago, and the journal that has the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nodevms.audit.verifier import Verifier
from nodevms.cli.info_directory import of_directory
from nodevms.errors import CouldNotCheckError, ProvedFalseError, StorageError
from nodevms.sandbox import Engine
from nodevms.vm.call_log import CallLog
from nodevms.vm.dat_archive import DatArchive
from nodevms.vm.directory import Layout
from nodevms.vm.vm import VM
from nodevms.vm.writer_lock import WriterLock

SCRIPT = """
exports.increment = async () => {
  const n = (await System.files.readFile('/n', 'json') || 0) + 1
  await System.files.writeFile('/n', n)
  return n
}
"""


async def died(tmp_path: Path, engine: Engine) -> Path:
    """Return what a power cut may leave of a backend that answered seven calls since a restart."""
    vm, place, left = VM(SCRIPT, engine=engine), tmp_path / "live", tmp_path / "left"
    await vm.deploy(dir=place)
    await vm.close()
    vm = VM(SCRIPT, engine=engine)
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


async def test_a_directory_is_judged_with_what_its_journal_has(
    tmp_path: Path, engine: Engine
) -> None:
    left = await died(tmp_path, engine)
    files = {path: path.read_bytes() for path in left.rglob("*") if path.is_file()}
    assert Verifier(engine).verify(left).calls == 7
    assert {path: path.read_bytes() for path in left.rglob("*") if path.is_file()} == files


async def test_a_start_that_has_not_redone_its_journal_yet_hides_nothing(
    tmp_path: Path, engine: Engine
) -> None:
    left = await died(tmp_path, engine)
    lock = WriterLock(Layout(left))
    try:
        assert Verifier(engine).verify(left).calls == 7
    finally:
        lock.release()


async def test_readers_see_what_only_the_journal_has(tmp_path: Path, engine: Engine) -> None:
    left = await died(tmp_path, engine)
    with CallLog.open(left) as log, DatArchive.open(left) as archive:
        assert len(log) == 9
        assert archive.read_file("/n", "json") == 7
    facts = of_directory(left)
    assert (facts["entries"], facts["epoch"]) == (9, 1)


async def test_a_journal_excuses_no_other_damage(tmp_path: Path, engine: Engine) -> None:
    left = await died(tmp_path, engine)
    log = left / "call-log.data"
    spoilt = bytearray(log.read_bytes())
    spoilt[40] ^= 1
    log.write_bytes(spoilt)
    with pytest.raises(ProvedFalseError):
        Verifier(engine).verify(left)


@pytest.mark.parametrize("part", ["data", "tree", "signatures"])
async def test_a_judge_sees_what_stands_where_the_journal_has_other_bytes(
    part: str, tmp_path: Path, engine: Engine
) -> None:
    vm = VM(SCRIPT, engine=engine)
    await vm.deploy(dir=tmp_path / "b")
    try:
        for _ in range(3):
            await vm.call("increment", b"[]")
        file = tmp_path / "b" / f"call-log.{part}"
        whole = file.read_bytes()
        for at in (len(whole) - 40, len(whole) - 1):
            file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with pytest.raises(ProvedFalseError):
                Verifier(engine).verify(tmp_path / "b")
            file.write_bytes(whole)
        assert Verifier(engine).verify(tmp_path / "b").calls == 3
    finally:
        await vm.close()


async def test_a_damaged_journal_leaves_its_directory_unjudged(
    tmp_path: Path, engine: Engine
) -> None:
    left = await died(tmp_path, engine)
    journal = bytearray((left / "journal").read_bytes())
    journal[700] ^= 1
    (left / "journal").write_bytes(journal)
    with pytest.raises(CouldNotCheckError):
        Verifier(engine).verify(left)
    with pytest.raises(StorageError) as caught:
        await VM(SCRIPT, engine=engine).deploy(dir=left)
    assert caught.value.fatal
