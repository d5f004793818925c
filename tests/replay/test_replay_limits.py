"""A hostile log does not hurt its auditor: whatever is beyond a ceiling could not be checked."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import backends
import cheating_host as host
import pytest
from cheating_host import Blocks, Honest, cheat_log
from click.testing import CliRunner

from nodevms.audit import Deadline, EntryUncheckedError, Verifier, published, replay
from nodevms.cli import main
from nodevms.errors import CouldNotCheckError, NodeVMSError
from nodevms.feed import Feed
from nodevms.sandbox import Engine
from nodevms.vm.limits import Limits


@pytest.fixture(scope="module")
def counter(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return backends.counter(engine, tmp_path_factory.mktemp("counter") / "backend")


def fails(verifier: Verifier, directory: Path) -> NodeVMSError:
    with pytest.raises(NodeVMSError) as caught:
        verifier.verify(directory)
    return caught.value


def test_an_entry_beyond_4_mib_is_no_entry(engine: Engine, counter: Path, tmp_path: Path) -> None:
    def change(blocks: Blocks) -> Blocks:
        entry = json.loads(blocks[2])
        entry["call"]["args"] = ["x" * (4 << 20)]
        return [*blocks[:2], host.spelled(entry), *blocks[3:]]

    error = fails(Verifier(engine), cheat_log(counter, tmp_path / "copy", change))
    assert (error.exit_code, error.code) == (1, "malformed-entry")
    assert "entry 2" in str(error)


@pytest.mark.parametrize("depth", [129, 1_000, 1_000_000])
@pytest.mark.parametrize("member", ["args", "res"])
def test_deep_json_is_no_entry(
    engine: Engine, counter: Path, tmp_path: Path, depth: int, member: str
) -> None:
    def change(blocks: Blocks) -> Blocks:
        deep = b"[" * depth + b"]" * depth
        old = {"args": b'"args":[]', "res": b'"res":2'}[member]
        assert old in blocks[2]
        new = old[: old.index(b":") + 1] + deep
        return [*blocks[:2], blocks[2].replace(old, new), *blocks[3:]]

    error = fails(Verifier(engine), cheat_log(counter, tmp_path / "copy", change))
    assert error.exit_code == 1
    assert "entry 2" in str(error)


def test_starts_without_end_could_not_be_checked(
    engine: Engine, counter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "STARTS_MAX", 20)
    honest = Verifier(engine).verify(counter)
    assert len(honest.epochs) == 2

    def change(blocks: Blocks) -> Blocks:
        return [*blocks[:5], *[blocks[4]] * 30]

    copy = cheat_log(counter, tmp_path / "copy", change)
    host.cheat_drive(copy, lambda blocks: blocks[:1])
    error = fails(Verifier(engine), copy)
    assert isinstance(error, EntryUncheckedError)
    assert (error.code, error.entry) == ("ceiling", 23)
    assert "more than 20 starts" in str(error)


def test_unpublished_changes_without_end_could_not_be_checked(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "UNPUBLISHED_MAX", 25)
    code = "exports.f = async n => { for (let i = 0; i < 10; i++) await System.files.writeFile(`/${n}-${i}`, i) }"
    honest = Honest(engine, tmp_path / "backend").run(code, [("f", n) for n in range(5)])
    host.cheat_drive(honest.directory, lambda blocks: blocks[:1])
    error = fails(Verifier(engine), honest.directory)
    assert isinstance(error, EntryUncheckedError)
    assert (error.code, error.entry) == ("ceiling", 3)


def test_an_audit_has_its_time(engine: Engine, counter: Path) -> None:
    ticks = itertools.count()
    verifier = Verifier(engine, deadline=Deadline(20, lambda: float(next(ticks))))
    error = fails(verifier, counter)
    assert (error.exit_code, error.code) == (3, "time")
    assert "longer than 20 seconds (stopped while replaying entry" in str(error)
    assert "--max-time" in str(error.hint)


def test_calls_that_use_all_their_gas_end_with_the_time(engine: Engine, tmp_path: Path) -> None:
    code = "exports.spin = () => { for (;;); }"
    honest = Honest(engine, tmp_path / "backend")
    honest.run(code, [("spin",)] * 30, limits=Limits(gas=300_000_000))
    arguments = ["verify", str(honest.directory), "--no-memory"]
    done = CliRunner().invoke(main, [*arguments, "--max-time", "0.3", "--json"])
    document = json.loads(done.stdout)
    assert (done.exit_code, document["code"]) == (3, "time")
    assert CliRunner().invoke(main, arguments).exit_code == 0


def test_who_interrupts_it_gets_no_accusation(engine: Engine, tmp_path: Path) -> None:
    code = "exports.spin = () => { for (;;); }"
    honest = Honest(engine, tmp_path / "backend")
    honest.run(code, [("spin",)] * 30, limits=Limits(gas=300_000_000))
    command = [sys.executable, "-m", "nodevms.cli", "verify", str(honest.directory)]
    with subprocess.Popen(
        [*command, "--no-memory"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "›Replaying 31 calls...\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "✔" not in out
    assert err == "✖Could not check.\nnodevms: it was interrupted\n"


COPIES = """exports.init = () => System.files.writeFile('/a', 'x'.repeat(200000))
exports.copy = async n => { for (let i = 0; i < n; i++) await System.files.copy('/a', '/' + i) }"""


def test_copies_of_a_file_are_hashed_once(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Honest(engine, tmp_path / "backend").run(COPIES, [("copy", 900), ("copy", 5)])
    contents = honest.directory / "files" / "content" / "data"
    assert contents.stat().st_size == 200_000
    read = []
    get_many = Feed.get_many

    def counted(feed: Feed, start: int, end: int) -> Iterator[bytes]:
        for block in get_many(feed, start, end):
            read.append(len(block))
            yield block

    monkeypatch.setattr(Feed, "get_many", counted)
    report = Verifier(engine).verify(honest.directory)
    assert report.files_version == 1 + 900 + 5
    log_bytes = (honest.directory / "call-log.data").stat().st_size
    assert sum(read) == 200_000 + log_bytes


def test_the_time_also_ends_among_the_files_of_one_call(engine: Engine, tmp_path: Path) -> None:
    many = "exports.many = async n => { for (let i = 0; i < n; i++) await System.files.writeFile('/' + i, i) }"
    honest = Honest(engine, tmp_path / "backend").run(many, [("many", 300)])
    ticks = itertools.count()
    verifier = Verifier(engine, deadline=Deadline(750, lambda: float(next(ticks))))
    error = fails(verifier, honest.directory)
    assert (error.exit_code, error.code) == (3, "time")
    assert "checking the contents of entry 1" in str(error)


def test_a_replay_writes_no_more_than_the_disk_limit(engine: Engine, tmp_path: Path) -> None:
    code = "exports.f = () => System.files.writeFile('/x', 'x'.repeat(100000))"
    honest = Honest(engine, tmp_path / "backend").run(code, [("f",)] * 5)
    Verifier(engine, disk_bytes_max=500_000).verify(honest.directory)
    error = fails(Verifier(engine, disk_bytes_max=400_000), honest.directory)
    assert isinstance(error, EntryUncheckedError)
    assert (error.code, error.entry) == ("replay-disk-limit", 5)


@pytest.mark.parametrize("field", Limits.__struct_fields__)
def test_limits_beyond_the_ceilings_are_not_replayed(
    engine: Engine, counter: Path, tmp_path: Path, field: str
) -> None:
    def change(blocks: Blocks) -> Blocks:
        entry = json.loads(blocks[4])
        name = "".join(p.title() if n else p for n, p in enumerate(field.split("_")))
        assert name in entry["limits"]
        entry["limits"][name] = 2**53 - 1
        return [*blocks[:4], host.spelled(entry), *blocks[5:]]

    error = fails(Verifier(engine), cheat_log(counter, tmp_path / "copy", change))
    assert isinstance(error, EntryUncheckedError)
    assert (error.code, error.entry) == ("ceiling", 4)
    assert field in str(error)


def test_memory_does_not_grow_with_the_log(engine: Engine, tmp_path: Path) -> None:
    code = "exports.size = x => x.length"
    honest = Honest(engine, tmp_path / "backend").run(code, [("size", "x" * 1_000_000)] * 40)
    assert (honest.directory / "call-log.data").stat().st_size > 40_000_000
    tracemalloc.start()
    try:
        Verifier(engine).verify(honest.directory)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 25_000_000


def test_a_machine_that_fails_accuses_nobody(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    honest = Honest(engine, tmp_path / "backend").run(
        "exports.f = () => System.files.writeFile('/x', '1')", [("f",)]
    )
    monkeypatch.setattr("nodevms.audit.verifier.TemporaryContents.append", full)
    error = fails(Verifier(engine), honest.directory)
    assert isinstance(error, CouldNotCheckError)
    assert "entry 1" in str(error)
    assert "No space left" in str(error)
