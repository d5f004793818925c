import random

import pytest

from nodevms.archive.tree import (
    EMPTY_ROOT,
    Branch,
    Node,
    Ref,
    find,
    insert,
    naive_root,
    remove,
    root_hash,
)


class Memory:
    """Nodes in a dictionary that notices misuse."""

    def __init__(self) -> None:
        self.nodes: dict[bytes, Node] = {}
        self.loads = 0

    def load(self, ref: Branch) -> Node:
        self.loads += 1
        return self.nodes[ref.id]

    def put(self, node_id: bytes, node: Node) -> None:
        self.nodes[node_id] = node

    def drop(self, node_id: bytes) -> None:
        del self.nodes[node_id]


def key(*bits: int) -> bytes:
    """A key whose given bits are set."""
    number = sum(1 << (255 - bit) for bit in bits)
    return number.to_bytes(32, "big")


def value(n: int) -> bytes:
    return bytes([n]) * 32


def test_shapes_by_hand() -> None:
    store, root = Memory(), None
    assert root_hash(root) == EMPTY_ROOT
    items: dict[bytes, bytes] = {}
    # The extremes of the bit index, and a split above, between and below what is there.
    for n, bits in enumerate([(), (255,), (0,), (0, 255), (128,), (0, 1), (128, 200), (7,), (8,)]):
        root = insert(store, root, key(*bits), value(n))
        items[key(*bits)] = value(n)
        assert root_hash(root) == naive_root(items.items())
        assert len(store.nodes) == len(items) - 1
    for bits in [(0,), (255,), (), (7,), (0, 1), (8,), (128,), (128, 200), (0, 255)]:
        root = remove(store, root, key(*bits))
        del items[key(*bits)]
        assert root_hash(root) == naive_root(items.items())
        assert len(store.nodes) == max(0, len(items) - 1)
    assert root is None


def test_replacing_a_value_keeps_the_shape() -> None:
    store, root = Memory(), None
    for n in range(8):
        root = insert(store, root, key(n), value(n))
    before = set(store.nodes)
    root = insert(store, root, key(3), value(99))
    assert store.nodes.keys() == before
    leaves = [(key(n), value(99 if n == 3 else n)) for n in range(8)]
    assert root_hash(root) == naive_root(leaves)


@pytest.mark.parametrize("there", [[], [(1,)], [(1,), (2,)]])
def test_removing_what_is_not_there(there: list[tuple[int]]) -> None:
    store = Memory()
    root: Ref | None = None
    for bits in there:
        root = insert(store, root, key(*bits), value(1))
    nodes = dict(store.nodes)
    with pytest.raises(KeyError):
        remove(store, root, key(3))
    assert store.nodes == nodes


def test_a_change_touches_a_logarithm_of_the_tree() -> None:
    store, root, rng = Memory(), None, random.Random(1)
    keys = [rng.randbytes(32) for _ in range(4096)]
    for each in keys:
        root = insert(store, root, each, value(1))
    store.loads = 0
    for each in keys[:500]:
        root = insert(store, root, each, value(2))
    assert store.loads / 500 < 16
    steps, leaf = find(store, root, keys[0])
    assert leaf is not None
    assert leaf.value_hash == value(2)
    bits = [node.bit for _, node in steps]
    assert bits == sorted(set(bits))
