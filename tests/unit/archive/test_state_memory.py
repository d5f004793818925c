"""What waits for the disk, and what is remembered, is bounded."""

from hypothesis import given
from hypothesis import strategies as st

from nodevms.archive import HistoryItem
from nodevms.archive.cache import Cache
from nodevms.archive.pending import Layer, Pending, merge_layers
from nodevms.archive.tree import Leaf, Node

NODE = Node(0, Leaf(b"", b"", b""), Leaf(b"", b"", b""))


def layer(length: int, *paths: str, **nodes: Node | None) -> Layer:
    items = [HistoryItem(length, length, path, None) for path in paths]
    ids = {name.encode(): node for name, node in nodes.items()}
    return Layer(length, length, None, ids, items)


def test_forgetting_leaves_nothing_behind() -> None:
    pending = Pending()
    pending.push(layer(1, "/a", "/d/x", n1=NODE, n2=NODE))
    pending.push(layer(2, "/d/x", n2=None, n3=NODE))
    pending.push(layer(3, "/d/y", n3=None))
    pending.forget(merge_layers([pending.layers[0]]))
    assert [item.path for item in pending.items()] == ["/d/x", "/d/y"]
    assert pending.folders.keys() == {"/d"}
    assert pending.folders["/d"].entries.keys() == {"x", "y"}
    assert pending.node(b"n1") is None
    assert pending.node_count() == 2
    pending.forget(merge_layers(list(pending.layers)))
    assert (pending.items(), pending.folders, pending.node_count()) == ([], {}, 0)


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
