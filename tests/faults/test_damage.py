"""Directories after a crash, and damaged ones: what is mended, and what is refused unchanged."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import PATIENCE_S, call_with_npm_client, in_process, serving, start
from load import SCRIPT, entries_of

CALLS = 30
TEXT = "y" * 2000
Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backend that was killed after 30 calls, of which none was published."""
    folder = tmp_path_factory.mktemp("killed")
    directory = folder / "backend"
    server = start(SCRIPT, "--dir", str(directory))
    shutil.copytree(directory / "files" / "metadata", folder / "unpublished")
    calls: list[tuple[str, list[object]]] = [("put", [n, TEXT]) for n in range(CALLS)]
    call_with_npm_client(server.address, *calls)
    server.process.kill()
    server.process.wait(PATIENCE_S)
    server.output.close()
    shutil.rmtree(directory / "files" / "metadata")
    (folder / "unpublished").rename(directory / "files" / "metadata")
    return directory


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, killed: Path) -> Path:
    """The same one, started and stopped once more: everything is published."""
    directory = tmp_path_factory.mktemp("stopped") / "backend"
    shutil.copytree(killed, directory)
    with serving(SCRIPT, "--dir", str(directory)):
        pass
    return directory


@pytest.fixture
def copied(place: Path) -> Callable[[Path], Path]:
    def copy(source: Path) -> Path:
        shutil.copytree(source, place / "backend")
        return place / "backend"

    return copy


def cut(name: str, count: int) -> Damage:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size - count)


def overwrite(name: str, start_at: int, end: int | None = None) -> Damage:
    def damage(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        part = slice(start_at, end)
        data[part] = bytes(byte ^ 0x55 for byte in data[part])
        (folder / name).write_bytes(data)

    return damage


def both(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


def state_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("state.db*"))


INDEX: dict[str, Damage] = {
    "deleted": lambda folder: [path.unlink() for path in state_files(folder)],
    "deleted without its journal": lambda folder: (folder / "state.db").unlink(),
    "empty": lambda folder: [path.write_bytes(b"") for path in state_files(folder)],
    "cut": lambda folder: [
        os.truncate(path, path.stat().st_size // 2) for path in state_files(folder)
    ],
    "garbage": lambda folder: [path.write_bytes(b"garbage" * 2000) for path in state_files(folder)],
}


@pytest.mark.parametrize("how", INDEX)
def test_an_index_is_made_again(copied: Callable[[Path], Path], killed: Path, how: str) -> None:
    INDEX[how](copied(killed))
    with serving(SCRIPT, "--dir", "backend") as server:
        assert server.log() == ""
        done = in_process("call", server.address, "put", str(CALLS), TEXT)
        assert json.loads(done.output) == {"n": CALLS, "total": CALLS + 1, "inMemory": 1}
    assert in_process("verify", "backend").exit_code == 0


def checkpointed(folder: Path) -> None:
    """Have SQLite put its journal into the index, so that the index has pages to damage."""
    import sqlite3

    connection = sqlite3.connect(folder / "state.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def test_damage_that_is_found_while_calls_run_is_mended_by_itself(
    copied: Callable[[Path], Path], stopped: Path
) -> None:
    folder = copied(stopped)
    checkpointed(folder)
    overwrite("state.db", 3 * 4096)(folder)  # the header and the first tables are well
    with serving(SCRIPT, "--dir", "backend") as server:
        answers: list[Any] = []
        for n in range(CALLS, CALLS + 50):
            answers += call_with_npm_client(server.address, ("put", [n, TEXT]))
            if "value" in answers[-1]:
                break
        assert answers[-1]["value"]["total"] == CALLS + 1
    load_calls = [entry for entry in entries_of("backend") if hasattr(entry, "call")]
    assert len(load_calls) == CALLS + 1
    assert in_process("verify", "backend").exit_code == 0


def without_last_records(count: int, damage: Damage) -> Damage:
    """Spoil files as a power cut would that kept as many of the journal's records back."""

    def spoil(folder: Path) -> None:
        data = bytearray((folder / "journal").read_bytes())
        mark = data[512:520]
        for _ in range(count):
            place = data.rindex(mark)
            data[place:] = bytes(len(data) - place)
        (folder / "journal").write_bytes(data)
        damage(folder)

    return spoil


TORN: dict[str, Damage] = {
    "the last entry": cut("call-log.data", 3),
    "the last entry's node": cut("call-log.tree", 10),
    "the last entry's signature": cut("call-log.signatures", 64),
    "the last entry and its contents": both(
        cut("files/content/data", 100), cut("call-log.data", 100)
    ),
    "all of the last entry": both(cut("call-log.data", 1500), cut("call-log.signatures", 1)),
}


@pytest.mark.parametrize("what", TORN)
def test_a_torn_last_batch_is_cut(copied: Callable[[Path], Path], killed: Path, what: str) -> None:
    # The contents of a call are a record before that of its entry.
    records = 2 if "contents" in what else 1
    without_last_records(records, TORN[what])(copied(killed))
    with serving(SCRIPT, "--dir", "backend") as server:
        assert server.log() == ""
        done = in_process("call", server.address, "put", "100", "x")
        assert json.loads(done.output)["total"] == CALLS  # one less, and one more
    assert in_process("verify", "backend").exit_code == 0


@pytest.mark.parametrize("what", TORN)
def test_what_the_journal_holds_is_written_again(
    copied: Callable[[Path], Path], killed: Path, what: str
) -> None:
    TORN[what](copied(killed))
    assert in_process("verify", "backend").exit_code == 0
    with serving(SCRIPT, "--dir", "backend") as server:
        assert server.log() == ""
        done = in_process("call", server.address, "put", "100", "x")
        assert json.loads(done.output)["total"] == CALLS + 1
    assert in_process("verify", "backend").exit_code == 0


def test_a_torn_publication_is_made_again(copied: Callable[[Path], Path], stopped: Path) -> None:
    folder = copied(stopped)
    cut("files/metadata/data", 3)(folder)
    with serving(SCRIPT, "--dir", "backend") as server:
        assert server.log() == ""
    done = in_process("verify", "backend", "--json")
    assert done.exit_code == 0, done.stdout
    assert json.loads(done.stdout)["filesLag"] == 0


KEEP_A_COPY = "Keep a copy of the directory"
DAMAGED: dict[str, tuple[Damage, str]] = {
    "an earlier entry": (
        overwrite("call-log.data", 700, 701),
        "Block 0 in {0}/call-log.data is not what its leaf says.",
    ),
    "an earlier entry's leaf": (
        overwrite("call-log.tree", 32 + 40 * 4, 32 + 40 * 4 + 1),
        "Block 2 in {0}/call-log.data is not what its leaf says.",
    ),
    "the last signature": (
        overwrite("call-log.signatures", -3),
        "The batch of blocks 31 to 31 beside {0}/call-log.data is damaged, and no crash explains",
    ),
    "the last contents": (
        overwrite("files/content/signatures", -3),
        "beside {0}/files/content/data is damaged, and no crash explains how",
    ),
    "the last publication": (
        overwrite("files/metadata/signatures", -3),
        "beside {0}/files/metadata/data is damaged, and no crash explains how",
    ),
    "entries that were published are gone": (
        cut("call-log.data", 3),
        "the call log has lost entries: it has 31, and the published files reflect 32",
    ),
    "contents that were logged are gone": (
        cut("files/content/data", 3),
        "the contents of files are lost: entry 30 of the call log refers to block 58 of 58",
    ),
    "no published files": (
        lambda folder: [
            os.truncate(folder / "files/metadata" / name, size)
            for name, size in (("data", 0), ("tree", 32), ("signatures", 32))
        ],
        "the published files are damaged: The metadata feed is empty.",
    ),
    "no signatures": (
        lambda folder: os.truncate(folder / "call-log.signatures", 32),
        "the call log has lost entries",
    ),
    "no key": (
        lambda folder: (folder / "call-log.key").unlink(),
        "There is no feed's key at {0}/call-log.key.",
    ),
    "another feed's key": (
        lambda folder: shutil.copy(folder / "files/metadata/key", folder / "call-log.key"),
        "",
    ),
    "another backend's files": (
        lambda folder: (folder / "backend.json").write_text(
            f'{{"format":1,"call_log":"{"0" * 64}","files":"{"1" * 64}"}}'
        ),
        "are not those that backend.json names",
    ),
    "an index that cannot be opened": (
        lambda folder: [*INDEX["deleted"](folder), (folder / "state.db").mkdir()],  # type: ignore[misc]
        "{0}/state.db: the state index could not be used: unable to open database file",
    ),
}


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file but the lock, whose number is the last writer's, and the derived index."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path): path.read_bytes()
        for path in files
        if path.name != "lock" and not path.name.startswith("state.db")
    }


@pytest.mark.parametrize("what", DAMAGED)
def test_other_damage_is_refused_and_nothing_is_changed(
    copied: Callable[[Path], Path], stopped: Path, what: str
) -> None:
    damage, sentence = DAMAGED[what]
    folder = copied(stopped)
    damage(folder)
    before = content_of(folder)
    done = in_process("exec", SCRIPT, "--dir", "backend", "-p", "0")
    assert done.exit_code in (2, 3), done.output
    assert sentence.format(folder) in done.output.replace("\n", " ")
    assert done.output.startswith("nodevms: ")
    assert content_of(folder) == before


def test_a_damaged_file_that_a_call_reads_ends_the_server(
    copied: Callable[[Path], Path], stopped: Path
) -> None:
    folder = copied(stopped)
    overwrite("files/content/data", 0, 30_000)(folder)
    with serving(SCRIPT, "--dir", "backend", exit_code=3) as server:
        path = ("read", ["/calls/0"])
        assert call_with_npm_client(server.address, path) == [{"error": "Internal error"}]
        assert server.process.wait(PATIENCE_S) == 3
        assert "is not what its leaf says" in server.log()
        assert KEEP_A_COPY in server.log()
