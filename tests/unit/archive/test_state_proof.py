import copy
import json
from collections.abc import Callable

import pytest
from state_worlds import file, folder, open_state, sha

from nodevms.archive import EMPTY_ROOT, ProofError, State, StateProof, Value, verify_proof
from nodevms.archive.proof import PROOF_BYTES_MAX
from nodevms.archive.record import ZERO_HASH, path_key
from nodevms.archive.tree import bit_of, inner_hash, make_leaf

PATHS = [f"/f{n}" for n in range(40)]


@pytest.fixture
def state() -> State:
    state = open_state()
    state.apply(1, sorted([folder("/d"), *map(file, PATHS)], key=lambda c: c.path), 5)
    return state


def read(state: State, path: str) -> StateProof:
    """Return a proof that went through both encodings."""
    proof = state.prove(path)
    assert StateProof.decode(proof.encode()) == proof
    assert StateProof.from_json(json.loads(json.dumps(proof.to_json()))) == proof
    return proof


def test_proves_presence(state: State) -> None:
    for path in PATHS:
        value = verify_proof(state.root, path, read(state, path))
        assert value is not None
        assert (value.kind, value.size, value.mtime_ms) == ("file", 0, 5)
    assert verify_proof(state.root, "/d", read(state, "/d")) == Value("folder", 0, ZERO_HASH, 5)


def test_proves_absence(state: State) -> None:
    for n in range(300):
        assert verify_proof(state.root, f"/no{n}", read(state, f"/no{n}")) is None
    empty = open_state()
    assert verify_proof(EMPTY_ROOT, "/a", read(empty, "/a")) is None


def test_one_file_needs_no_steps() -> None:
    state = open_state()
    state.apply(1, [file("/a")], 1)
    assert state.prove("/a").steps == ()
    assert verify_proof(state.root, "/a", read(state, "/a")) is not None
    assert verify_proof(state.root, "/b", read(state, "/b")) is None


def test_a_proof_is_for_its_path_and_root_alone(state: State) -> None:
    proof = state.prove("/f1")
    other = open_state()
    other.apply(1, [file("/f1")], 6)
    for root, path in ((other.root, "/f1"), (EMPTY_ROOT, "/f1"), (state.root, "/f2")):
        with pytest.raises(ProofError):
            verify_proof(root, path, proof)


def test_a_leaf_on_the_way_does_not_prove_absence_of_another(state: State) -> None:
    """Each proof of absence is offered for each path that is there, and for others' ways."""
    absent = state.prove("/no1")
    present = [state.prove(path) for path in PATHS]
    for path in PATHS:
        with pytest.raises(ProofError):
            verify_proof(state.root, path, absent)
    for proof, path in zip(present, PATHS, strict=True):
        # The true leaf of one path, dressed up as the leaf that another path's bits lead to.
        other = state.prove("/no1").other
        assert other is not None
        for forged in (
            StateProof(proof.steps, None, other),
            StateProof(absent.steps, None, (bytes(32), bytes(32))),
            StateProof((), None, None),
        ):
            with pytest.raises(ProofError):
                verify_proof(state.root, path, forged)


def test_absence_must_lie_on_the_paths_own_way(state: State) -> None:
    """An honest way to some leaf, offered for a path whose bits lead elsewhere."""
    ways = {}
    for n in range(60):
        proof = state.prove(f"/no{n}")
        assert proof.other is not None
        ways[proof.other[0]] = proof
    assert len(ways) > 10
    for n in range(60):
        own = state.prove(f"/no{n}")
        for way in ways.values():
            if way.other == own.other:
                assert verify_proof(state.root, f"/no{n}", way) is None
            else:
                with pytest.raises(ProofError):
                    verify_proof(state.root, f"/no{n}", way)


def test_every_flipped_bit_is_noticed(state: State) -> None:
    for path in ("/f1", "/d", "/no1"):
        data = state.prove(path).encode()
        for at in range(len(data)):
            for bit in (0, 7):
                forged = bytearray(data)
                forged[at] ^= 1 << bit
                with pytest.raises(ProofError):
                    verify_proof(state.root, path, StateProof.decode(bytes(forged)))


def test_every_cut_and_addition_is_noticed(state: State) -> None:
    for path in ("/f1", "/no1"):
        data = state.prove(path).encode()
        for forged in [*(data[:at] for at in range(len(data))), data + b"\0", data + bytes(33)]:
            with pytest.raises(ProofError):
                StateProof.decode(forged)


def test_bounds() -> None:
    steps = tuple((bit, bytes(32)) for bit in range(256))
    longest = StateProof(steps, None, (bytes(32), bytes(32)))
    data = longest.encode()
    assert len(data) == PROOF_BYTES_MAX
    assert StateProof.decode(data) == longest
    for forged in (b"", b"\0\0", b"\xff\xff\0", data + b"\0", bytes(1 << 20)):
        with pytest.raises(ProofError):
            StateProof.decode(forged)
    for bits in ((1, 1), (2, 1)):
        unordered = StateProof(tuple((bit, bytes(32)) for bit in bits), None, (bytes(32),) * 2)
        with pytest.raises(ProofError):
            StateProof.decode(unordered.encode())
        with pytest.raises(ProofError):
            verify_proof(bytes(32), "/a", unordered)
    with pytest.raises(ProofError):
        verify_proof(bytes(32), "/a", StateProof(((0, bytes(32)),), None, None))
    both = StateProof((), Value("file", 0, bytes(32), 0), (bytes(32), bytes(32)))
    with pytest.raises(ProofError):
        verify_proof(bytes(32), "/a", both)


FORGERIES: list[Callable[[dict[str, object]], object]] = [
    lambda p: None,
    lambda p: [],
    lambda p: p.pop("other"),
    lambda p: p.update(more=1),
    lambda p: p.update(steps=None),
    lambda p: p.update(steps=[[0]]),
    lambda p: p.update(steps=[[0, "x"]]),
    lambda p: p.update(steps=[[0, "A" * 44]]),
    lambda p: p.update(steps=[[0, "A" * 42 + "B="]]),
    lambda p: p.update(steps=[[0, "é" + "A" * 42 + "="]]),
    lambda p: p.update(steps=[[256, "A" * 43 + "="]]),
    lambda p: p.update(steps=[[-1, "A" * 43 + "="]]),
    lambda p: p.update(steps=[[True, "A" * 43 + "="]]),
    lambda p: p.update(steps=[[0.0, "A" * 43 + "="]]),
    lambda p: p.update(steps=[[n, "A" * 43 + "="] for n in range(257)]),
    lambda p: p.update(value=1),
    lambda p: p.update(value={"kind": "file"}),
    lambda p: p["value"].update(kind="link"),  # type: ignore[attr-defined]
    lambda p: p["value"].update(kind="folder", size=1),  # type: ignore[attr-defined]
    lambda p: p["value"].update(size=-1),  # type: ignore[attr-defined]
    lambda p: p["value"].update(size=2**53),  # type: ignore[attr-defined]
    lambda p: p["value"].update(mtime=True),  # type: ignore[attr-defined]
    lambda p: p["value"].update(mtime=1.5),  # type: ignore[attr-defined]
    lambda p: p.update(other=["A" * 43 + "="] * 2),
    lambda p: p.update(other=["A" * 43 + "="], value=None),
    lambda p: p.update(other={}, value=None),
]


@pytest.mark.parametrize("number", range(len(FORGERIES)))
def test_json_of_anyones_making(state: State, number: int) -> None:
    data = copy.deepcopy(state.prove("/f1").to_json())
    changed = FORGERIES[number](data)
    with pytest.raises(ProofError):
        StateProof.from_json(changed if number < 2 else data)


def test_a_way_that_no_honest_tree_has_is_refused_even_under_its_own_root() -> None:
    """Whoever makes the root as well must still not show two answers under it."""
    key, value = path_key("/a"), Value("file", 0, bytes(32), 1)
    leaf = make_leaf(key, sha(value.encode())).hash

    def root(steps: list[tuple[int, bytes]], digest: bytes) -> bytes:
        for bit, sibling in reversed(steps):
            pair = (sibling, digest) if bit_of(key, bit) else (digest, sibling)
            digest = inner_hash(bit, *pair)
        return digest

    for steps in ([(9, ZERO_HASH), (5, ZERO_HASH)], [(5, ZERO_HASH), (5, ZERO_HASH)]):
        with pytest.raises(ProofError):
            verify_proof(root(steps, leaf), "/a", StateProof(tuple(steps), value, None))
    assert verify_proof(leaf, "/a", StateProof((), value, None)) == value
    # Another leaf where only this key's own could stand.
    other = bytes([key[0] ^ 0x80]) + key[1:]
    steps = [(0, ZERO_HASH)]
    forged = StateProof(tuple(steps), None, (other, ZERO_HASH))
    with pytest.raises(ProofError):
        verify_proof(root(steps, make_leaf(other, ZERO_HASH).hash), "/a", forged)
    with pytest.raises(ProofError):
        verify_proof(leaf, "/a", StateProof((), None, (key, sha(value.encode()))))
