"""The tree depends on what is in it and on nothing else."""

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from nodevms.archive import ProofError, StateProof, verify_proof
from nodevms.archive.record import Value, path_key
from nodevms.archive.tree import (
    Branch,
    Node,
    Ref,
    bit_of,
    find,
    insert,
    naive_root,
    remove,
    root_hash,
)


class Nodes(dict[bytes, Node]):
    """Tree nodes by id."""

    def load(self, ref: Branch) -> Node:
        return self[ref.id]

    def put(self, node_id: bytes, node: Node) -> None:
        self[node_id] = node

    def drop(self, node_id: bytes) -> None:
        del self[node_id]


def from_scratch(items: dict[bytes, bytes]) -> Nodes:
    nodes, ref = Nodes(), None
    for key, value in sorted(items.items(), reverse=True):
        ref = insert(nodes, ref, key, value)
    return nodes


# Few different bits, so that keys share long prefixes as well as short ones.
KEYS = st.lists(st.sampled_from([0, 1, 7, 8, 100, 254, 255]), max_size=5).map(
    lambda bits: sum(1 << (255 - bit) for bit in set(bits)).to_bytes(32, "big")
)
VALUES = st.integers(0, 3).map(lambda n: bytes([n]) * 32)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(KEYS, VALUES | st.none()), max_size=60))
def test_any_order_of_insertions_and_deletions_gives_the_same_root(
    steps: list[tuple[bytes, bytes | None]],
) -> None:
    nodes, root = Nodes(), None
    items: dict[bytes, bytes] = {}
    ref: Ref | None = root
    for key, value in steps:
        if value is not None:
            ref = insert(nodes, ref, key, value)
            items[key] = value
        elif key in items:
            ref = remove(nodes, ref, key)
            del items[key]
        assert root_hash(ref) == naive_root(items.items())
        assert len(nodes) == max(0, len(items) - 1)
        assert nodes == from_scratch(items)
    for key, value in items.items():
        leaf = find(nodes, ref, key)[1]
        assert leaf is not None
        assert (leaf.key, leaf.value_hash) == (key, value)


@settings(max_examples=150, deadline=None)
@given(
    st.sets(st.integers(0, 60), max_size=40),
    st.integers(0, 80),
    st.integers(0, 1 << 16),
    st.integers(1, 255),
)
def test_proofs_hold_and_altered_ones_do_not(
    there: set[int], asked: int, at: int, flip: int
) -> None:
    nodes, ref = Nodes(), None
    value = Value("file", 1, bytes(32), 2)
    value_hash = sha256(value.encode()).digest()
    for n in there:
        ref = insert(nodes, ref, path_key(f"/{n}"), value_hash)
    path, root = f"/{asked}", root_hash(ref)
    key = path_key(path)
    steps, leaf = find(nodes, ref, key)
    way = tuple(
        (node.bit, (node.left if bit_of(key, node.bit) else node.right).hash) for _, node in steps
    )
    if asked in there:
        proof = StateProof(way, value, None)
    else:
        proof = StateProof(way, None, None if leaf is None else (leaf.key, leaf.value_hash))
    assert verify_proof(root, path, proof) == proof.value
    data = bytearray(proof.encode())
    data[at % len(data)] ^= flip
    try:
        forged = verify_proof(root, path, StateProof.decode(bytes(data)))
    except ProofError:
        return
    raise AssertionError(f"a forged proof holds: {forged}")


@given(st.binary(max_size=200))
def test_bytes_that_are_no_proof_are_refused_and_others_have_one_spelling(data: bytes) -> None:
    try:
        proof = StateProof.decode(data)
    except ProofError:
        return
    assert proof.encode() == data
    assert StateProof.from_json(proof.to_json()) == proof
