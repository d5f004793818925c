"""The files at one version, beside a state that goes on."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest
from state_worlds import INFO, Backend, Files, Refused, deleted, file, folder, open_state

from nodevms.archive import Change, FileApi, Overlay, State, StateAt
from nodevms.archive import file_gas as gas
from nodevms.archive.listing import PAGE_NAMES
from nodevms.errors import LocalProtocolError


def seen_at(state: State, view: StateAt, folders: list[str], paths: list[str]) -> None:
    """Compare a view with what the state itself says of that version."""
    version = view.version
    for path in paths:
        assert view.get(path) == state.record_at(path, version), path
    for name in folders:
        assert list(view.children(name)) == list(state.children_at(name, version)), name
        page = view.children_page(name, "u")
        assert (
            page
            == [item for item in state.children_at(name, version) if item[0] > "u"][:PAGE_NAMES]
        )
    history = view.history(None, start=0, end=1 << 50, reverse=True, limit=5)
    assert history == state.history(start=0, end=version + 1, reverse=True, limit=5)


@pytest.mark.parametrize("seed", range(4))
def test_it_shows_what_was_there_whatever_came_later(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    state = open_state(tmp_path / "state.db", cache_max=20)
    state.apply(1, [folder("/d"), folder("/e")], 1)
    paths = [f"/{place}{name}" for place in ("", "d/", "e/") for name in "stuvwxyz"]
    views = [StateAt(state, 0), StateAt(state, state.version)]
    for length in range(2, 60):
        chosen = sorted(chance.sample(paths, chance.randint(1, 5)))
        changes: list[Change] = [
            deleted(path)
            if chance.random() < 0.4 and state.get(path)
            else file(path, bytes([length]))
            for path in chosen
        ]
        state.apply(length, changes, length)
        if chance.random() < 0.5:
            state.flush(length - chance.randint(0, 1))
        if chance.random() < 0.3:
            views.append(StateAt(state, state.version))
        for view in chance.sample(views, min(3, len(views))):
            seen_at(state, view, ["/", "/d", "/e"], paths)
    for view in views:
        seen_at(state, view, ["/", "/d", "/e", "/none"], paths)


def test_folders_of_many_pages_and_many_later_changes(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state.db")
    names = [f"/f{number:04}" for number in range(3 * PAGE_NAMES)]
    state.apply(1, [file(name) for name in names], 1)
    view = StateAt(state, state.version)
    state.apply(2, [deleted(name) for name in names[::2]], 2)
    state.apply(3, [file(f"/g{number:04}") for number in range(PAGE_NAMES)], 3)
    state.flush(2)
    assert ["/" + name for name, _ in view.children("/")] == names
    state.apply(4, [deleted(name) for name in names[1::2]], 4)
    assert view.get(names[1]) is not None
    assert ["/" + name for name, _ in view.children("/")] == names
    assert len(list(state.children("/"))) == PAGE_NAMES


def test_what_a_folder_had_before_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names that were gone by then are not met: the work is that of the names that are paid for."""
    state = open_state(tmp_path / "state.db")
    state.apply(1, [file(f"/f{number:04}") for number in range(2000)], 1)
    state.apply(2, [deleted(f"/f{number:04}") for number in range(2000)], 2)
    state.apply(3, [file("/last")], 3)
    state.flush(3)
    view = StateAt(state, state.version)
    pages: list[int] = []
    children = state._index.children

    def counted(folder_path: str, after: str) -> object:
        page = children(folder_path, after)
        pages.append(len(page))
        return page

    monkeypatch.setattr(state._index, "children", counted)
    assert [name for name, _ in view.children("/")] == ["last"]
    assert sum(pages) == 1


def test_it_takes_no_changes() -> None:
    with pytest.raises(LocalProtocolError):
        StateAt(open_state(), 0).apply(1, [], 1)


def test_it_can_be_read_while_another_thread_changes_the_state(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state.db")
    names = [f"/f{number:02}" for number in range(50)]
    state.apply(1, [file(name, b"1") for name in names], 1)
    view = StateAt(state, state.version)
    begun, done = threading.Event(), threading.Event()

    def change() -> None:
        for length in range(2, 300):
            state.apply(length, [file(names[length % 50], bytes([length % 256]))], length)
            if length % 20 == 0:
                state.flush(length)
            begun.set()
        done.set()

    thread = threading.Thread(target=change)
    thread.start()
    begun.wait()
    while not done.is_set():
        assert {record.mtime_ms for _, record in view.children("/")} == {1}
        assert {view.get(name).mtime_ms for name in names} == {1}  # type: ignore[union-attr]
    thread.join()


CHANGES = [
    ("writeFile", ["/b"], b"x"),
    ("mkdir", ["/g"], None),
    ("unlink", ["/a"], None),
    ("rmdir", ["/d"], None),
    ("copy", ["/a", "/b"], None),
    ("rename", ["/a", "/b"], None),
    ("writeFile", ["../no path"], b""),
]


@pytest.mark.parametrize(("name", "arguments", "data"), CHANGES)
def test_a_read_only_call_changes_nothing(
    name: str, arguments: list[str], data: bytes | None
) -> None:
    backend = Backend()
    backend.call(lambda files: (files.write("/a", b"1"), files.mkdir("/d")))
    overlay = Overlay(StateAt(backend.state, backend.state.version), backend.contents, 5)
    files = Files(FileApi(overlay, INFO, readonly=True), backend.charge)
    assert (files.readFile("/a"), files.readdir("/")) == (b"1", ["a", "d"])
    backend.gas = 0
    with pytest.raises(
        Refused, match=rf"^ReadOnlyError: a read-only call cannot change files \({name}\)$"
    ):
        getattr(files, name)(*arguments, data=data)
    assert gas.REQUEST <= backend.gas < 2 * gas.REQUEST
    assert overlay.changed_paths() == []
