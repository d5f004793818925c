"""What opening an old backend reads: not its whole log, and the truth all the same."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from nodevms.archive import State
from nodevms.audit.verifier import Verifier
from nodevms.sandbox import Engine
from nodevms.vm import indexing, publication, store
from nodevms.vm.errors import DirectoryError
from nodevms.vm.vm import VM

FIRST = "let n = 0; exports.next = () => ++n"
SECOND = "exports.next = () => 'second'"
WRITER = "exports.next = async name => { await System.files.writeFile(`/${name}`, name) }"
MANY = """exports.next = async name => {
  for (let i = 0; i < 4; i++) await System.files.writeFile(`/${name}/${i}`, Math.random())
}"""
CALLS = 300


async def live(directory: Path, code: str, engine: Engine, calls: int, **options: bool) -> None:
    vm = VM(code, engine=engine)
    await vm.deploy(dir=directory, **options)
    for number in range(calls):
        await vm.call("next", b'["%d"]' % number)
    await vm.close()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the entries that a store has read."""
    sizes: list[int] = []
    real = store.decode

    def counting(block: bytes) -> object:
        sizes.append(len(block))
        return real(block)

    monkeypatch.setattr(store, "decode", counting)
    return sizes


@pytest.mark.parametrize("code", [FIRST, WRITER])
async def test_opening_reads_a_few_entries_of_a_long_log(
    code: str, tmp_path: Path, engine: Engine, decoded: list[int]
) -> None:
    await live(tmp_path / "b", code, engine, CALLS)
    await live(tmp_path / "b", code, engine, 0)
    decoded.clear()
    await live(tmp_path / "b", code, engine, 0)
    assert 1 <= len(decoded) <= 8
    assert Verifier(engine).verify(tmp_path / "b").calls == CALLS


async def test_the_code_of_the_last_upgrade_is_the_one_that_runs(
    tmp_path: Path, engine: Engine
) -> None:
    place = tmp_path / "b"
    await live(place, FIRST, engine, 3)
    await live(place, SECOND, engine, 3, upgrade=True)
    await live(place, SECOND, engine, 3)
    with pytest.raises(DirectoryError) as caught:
        await live(place, FIRST, engine, 0)
    assert caught.value.code == "directory-script"


@pytest.mark.parametrize("mark", [0, 2, 10**12])
async def test_an_index_that_lost_the_place_of_the_code_is_made_again(
    mark: int, tmp_path: Path, engine: Engine
) -> None:
    place = tmp_path / "b"
    await live(place, FIRST, engine, 3)
    await live(place, SECOND, engine, 3, upgrade=True)
    with sqlite3.connect(place / "state.db") as index:
        assert index.execute("SELECT mark FROM meta").fetchone() == (4,)
        index.execute("UPDATE meta SET mark = ?, seq = ?", (mark, 0 if mark == 0 else 8))
    index.close()
    await live(place, SECOND, engine, 1)


async def test_an_index_leaves_no_write_ahead_log_in_a_new_directory(
    tmp_path: Path, engine: Engine
) -> None:
    await live(tmp_path / "b", WRITER, engine, 3)
    wal = tmp_path / "b" / "state.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0


async def test_what_was_not_published_is_in_publications_of_whole_entries(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, published = tmp_path / "b", tmp_path / "metadata"
    await live(place, MANY, engine, 1)
    shutil.copytree(place / "files" / "metadata", published)
    await live(place, MANY, engine, 6)
    shutil.rmtree(place / "files" / "metadata")
    shutil.copytree(published, place / "files" / "metadata")
    monkeypatch.setattr(publication, "GATHERED_MAX", 9)
    await live(place, MANY, engine, 0)
    report = Verifier(engine).verify(place)
    assert report.publications >= 3
    assert not report.lag


async def test_what_is_applied_and_not_written_is_bounded_while_an_index_is_made_again(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, waiting = tmp_path / "b", [0]
    await live(place, MANY, engine, 12)  # each changes a folder and four files
    for path in place.glob("state.db*"):
        path.unlink()
    apply = State.apply

    def applying(state: State, *arguments: object) -> bytes:
        root = apply(state, *arguments)  # type: ignore[arg-type]
        waiting.append(sum(len(layer.items) for layer in state._pending.layers))
        return root

    monkeypatch.setattr(State, "apply", applying)
    monkeypatch.setattr(indexing, "GATHERED_MAX", 12)
    vm = VM(MANY, engine=engine)
    heard: list[tuple[int, int]] = []
    await vm.deploy(dir=place, progress=lambda *told: heard.append(told))
    await vm.close()
    assert heard == [(3, 13), (5, 13), (7, 13), (9, 13), (11, 13), (13, 13)]
    assert max(waiting[:-1]) == 10
