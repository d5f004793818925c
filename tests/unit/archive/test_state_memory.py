"""What waits for the disk, and what is remembered, is bounded."""

from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from state_worlds import folder, open_state

from nodevms.archive import HistoryItem, Totals
from nodevms.archive.cache import Cache
from nodevms.archive.pending import Layer, Pending, merge_layers
from nodevms.archive.tree import Leaf, Node

NODE = Node(0, Leaf(b"", b"", b""), Leaf(b"", b"", b""))


def layer(length: int, *paths: str, **nodes: Node | None) -> Layer:
    """The versions are 10 a layer, of which the last ones are used."""
    first = 10 * length - len(paths) + 1
    items = [HistoryItem(first + at, length, path, None) for at, path in enumerate(paths)]
    ids = {name.encode(): node for name, node in nodes.items()}
    return Layer(length, 10 * length, None, Totals(), ids, items)


def history_of(pending: Pending, path: str | None = None) -> list[str]:
    items = pending.history(path, 0, 1_000_000, reverse=False, limit=1_000_000)
    return [item.path for item in items]


def test_forgetting_leaves_nothing_behind() -> None:
    pending = Pending()
    pending.push(layer(1, "/a", "/d/x", n1=NODE, n2=NODE))
    pending.push(layer(2, "/d/x", n2=None, n3=NODE))
    pending.push(layer(3, "/d/y", n3=None))
    pending.forget(merge_layers([pending.layers[0]]))
    assert history_of(pending) == ["/d/x", "/d/y"]
    assert pending.folders.keys() == {"/d"}
    assert pending.folders["/d"].entries.keys() == {"x", "y"}
    assert pending.node(b"n1") is None
    assert pending.node_count() == 2
    pending.forget(merge_layers(list(pending.layers)))
    assert (history_of(pending), pending.folders, pending.node_count()) == ([], {}, 0)


NAMES = st.sampled_from(["/a", "/b", "/c/d"])
LAYERS = st.lists(st.lists(NAMES, min_size=1, max_size=4, unique=True), max_size=6)


@given(
    layers=LAYERS,
    gone=st.integers(0, 6),
    path=st.none() | NAMES,
    start=st.integers(0, 30),
    end=st.integers(0, 30),
    reverse=st.booleans(),
    limit=st.integers(0, 9),
)
def test_waiting_history_is_what_filtering_all_of_it_gives(
    *,
    layers: list[list[str]],
    gone: int,
    path: str | None,
    start: int,
    end: int,
    reverse: bool,
    limit: int,
) -> None:
    pending, everything, version = Pending(), [], 0
    for length, paths in enumerate(layers, 1):
        items = [HistoryItem(version + n, length, name, None) for n, name in enumerate(paths, 1)]
        version += len(items)
        pending.push(Layer(length, version, None, Totals(), {}, items))
        everything += items if length > gone else []
    if pending.layers and gone:
        pending.forget(merge_layers(list(pending.layers)[:gone]))
    wanted = [i for i in everything if start <= i.version < end and path in {None, i.path}]
    if reverse:
        wanted.reverse()
    assert pending.history(path, start, end, reverse=reverse, limit=limit) == wanted[:limit]
    for name in ("/a", "/b", "/c/d"):
        here = [i for i in everything if i.path == name and i.version <= end]
        assert pending.record_at(name, end) == (here[-1] if here else None)


class Untouchable(list[HistoryItem]):
    """Changes that nobody may look at."""

    def __getitem__(self, place: object) -> NoReturn:
        raise AssertionError(f"{place} was looked at")

    def __iter__(self) -> NoReturn:
        raise AssertionError("all was looked at")

    __reversed__ = __iter__


def test_history_costs_nothing_for_what_is_not_asked_for() -> None:
    pending = Pending()
    for length in range(1, 9):
        pending.push(layer(length, f"/{length}", "/same"))
    for waiting in pending.layers:
        if waiting.length not in (5, 6):
            waiting.items = Untouchable(waiting.items)
    for reverse in (False, True):
        found = pending.history(None, 49, 51, reverse=reverse, limit=1_000)
        assert {item.path for item in found} == {"/5", "/same"}
    assert len(pending.history("/same", 0, 99, reverse=True, limit=1_000)) == 8


def test_a_listed_folder_is_listed_rightly_after_forgetting() -> None:
    pending = Pending()
    pending.push(layer(1, "/d/a", "/d/b"))
    assert [name for name, _ in pending.page("/d", "")] == ["a", "b"]
    pending.push(layer(2, "/d/c"))
    pending.forget(merge_layers([pending.layers[0]]))
    assert [name for name, _ in pending.page("/d", "")] == ["c"]
    assert pending.page("/d", "c") == []
    assert pending.page("/other", "") == []


@given(st.lists(st.tuples(st.sampled_from(["get", "put", "pop"]), st.integers(0, 12))))
def test_a_cache_is_bounded_and_never_wrong(steps: list[tuple[str, int]]) -> None:
    cache: Cache[int, int] = Cache(6)
    truth: dict[int, int] = {}
    for n, (step, key) in enumerate(steps):
        if step == "put":
            cache.put(key, n + 1)
            truth[key] = n + 1
            assert cache.get(key) == n + 1
        elif step == "pop":
            cache.pop(key)
            truth.pop(key, None)
            assert cache.get(key) is None
        else:
            assert cache.get(key) in {None, truth.get(key)}
        assert len(cache) <= 6


def test_a_cache_keeps_what_was_used_last() -> None:
    cache: Cache[int, int] = Cache(6)
    for n in range(100):
        cache.put(n, n + 1)
        assert [cache.get(m) for m in range(max(0, n - 2), n + 1)] == [
            m + 1 for m in range(max(0, n - 2), n + 1)
        ]
        assert cache.get(0) == 1


def test_the_history_of_deep_folders_asks_for_each_folder_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backwards the deepest comes first, and all above it must be known then."""
    deep = [folder("/d" * depth) for depth in range(1, 300)]
    state = open_state(tmp_path / "state.db")
    state.apply(1, deep, 1)
    state.flush(1)
    state.close()
    state = open_state(tmp_path / "state.db")
    asked = []
    rows = state._index.rows
    monkeypatch.setattr(state._index, "rows", lambda *sql: asked.append(sql) or rows(*sql))
    items = state.history(reverse=True)
    assert [item.path for item in items] == [change.path for change in reversed(deep)]
    assert len(asked) == 1 + len(deep)
