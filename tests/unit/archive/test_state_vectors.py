"""What docs/spec-state.md promises, checked by the package and by a verifier written from it."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from state_worlds import open_state, temporary_contents

from nodevms.archive import (
    ArchiveInfo,
    Change,
    FileApi,
    InvalidPathError,
    Overlay,
    ProofError,
    StateProof,
    canonical_path,
    verify_proof,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "state"


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def spec_value(entry: dict[str, Any]) -> bytes:
    kind = {"file": 0, "folder": 1}[entry["kind"]]
    numbers = [entry[name].to_bytes(8, "big") for name in ("size", "mtime")]
    return bytes([kind]) + numbers[0] + bytes.fromhex(entry["sha256"]) + numbers[1]


def spec_verify(root: bytes, path: str, data: bytes) -> bytes | None:
    """Return the value bytes, or None for absence; ValueError if the proof shows neither."""
    key = sha256(path.encode()).digest()
    bits = "".join(f"{byte:08b}" for byte in key)
    count = int.from_bytes(data[:2], "big")
    steps = [(data[2 + 33 * n], data[3 + 33 * n : 35 + 33 * n]) for n in range(count)]
    end, rest = data[2 + 33 * count], data[3 + 33 * count :]
    if [bit for bit, _ in steps] != sorted({bit for bit, _ in steps}):
        raise ValueError("order")
    value = None
    if end == 0:
        if rest or steps:
            raise ValueError("end")
        digest = sha256(b"\x02").digest()
    elif end == 1:
        value = rest
        if len(value) != 49 or value[0] > 1 or (value[0] == 1 and any(value[1:41])):
            raise ValueError("value")
        if max(int.from_bytes(value[1:9], "big"), int.from_bytes(value[41:], "big")) >= 2**53:
            raise ValueError("number")
        digest = sha256(b"\0" + key + sha256(value).digest()).digest()
    elif end == 2 and len(rest) == 64:
        other = "".join(f"{byte:08b}" for byte in rest[:32])
        if other == bits or any(other[bit] != bits[bit] for bit, _ in steps):
            raise ValueError("other")
        digest = sha256(b"\0" + rest).digest()
    else:
        raise ValueError("end")
    for bit, sibling in reversed(steps):
        pair = sibling + digest if bits[bit] == "1" else digest + sibling
        digest = sha256(bytes([1, bit]) + pair).digest()
    if digest != root:
        raise ValueError("root")
    return value


def test_paths() -> None:
    vectors = load("paths.json")
    for accepted in vectors["accepted"]:
        assert canonical_path(accepted["text"]) == accepted["path"]
    for text in vectors["refused"]:
        with pytest.raises(InvalidPathError):
            canonical_path(text)


@pytest.mark.parametrize("case", load("tree.json"), ids=lambda case: case["name"])
def test_tree(case: dict[str, Any]) -> None:
    state = open_state()
    entries = sorted(case["entries"], key=lambda entry: entry["path"])
    for length, entry in enumerate(entries, 1):
        sha = bytes.fromhex(entry["sha256"])
        change = Change(entry["path"], entry["kind"], entry["size"], sha)
        state.apply(length, [change], entry["mtime"])
    root = bytes.fromhex(case["root"])
    assert state.root == root
    values = {entry["path"]: spec_value(entry) for entry in entries}
    for entry in case["entries"]:
        if "leaf" in entry:
            key = sha256(entry["path"].encode()).digest()
            value = values[entry["path"]]
            assert (entry["key"], entry["value"]) == (key.hex(), value.hex())
            leaf = sha256(b"\0" + key + sha256(value).digest()).hexdigest()
            assert entry["leaf"] == leaf
    for proof in case["proofs"]:
        path, data = proof["path"], bytes.fromhex(proof["bytes"])
        assert proof["present"] == (path in values)
        assert state.prove(path).encode() == data
        assert StateProof.from_json(proof["json"]) == StateProof.decode(data)
        assert StateProof.decode(data).to_json() == proof["json"]
        shown = verify_proof(root, path, StateProof.decode(data))
        assert (None if shown is None else shown.encode()) == values.get(path)
        assert spec_verify(root, path, data) == values.get(path)


def test_refused_proofs() -> None:
    vectors = load("refused_proofs.json")
    root, path = bytes.fromhex(vectors["root"]), vectors["path"]
    holds = bytes.fromhex(vectors["holds"])
    assert verify_proof(root, path, StateProof.decode(holds)) is not None
    assert spec_verify(root, path, holds) is not None
    for name, text in vectors["refused"].items():
        data = bytes.fromhex(text)
        with pytest.raises(ProofError):
            pytest.fail(f"{name}: {verify_proof(root, path, StateProof.decode(data))}")
        with pytest.raises((ValueError, IndexError)):
            pytest.fail(f"{name}: {spec_verify(root, path, data)}")


def test_calls() -> None:
    """Host API 1: every byte of every answer, every charge, every root."""
    state, contents = open_state(), temporary_contents()
    for length, call in enumerate(load("calls.json"), 1):
        overlay = Overlay(state, contents, call["time"])
        api = FileApi(overlay, ArchiveInfo("dat://" + "0123456789abcdef" * 4, "Tïtle"))
        for row in call["requests"]:
            charges: list[int] = []
            answer = api.handle(row["request"].encode("latin-1"), charges.append)
            assert answer.decode("latin-1") == row["answer"], row["request"]
            assert [charge for charge in charges if charge] == row["charges"]
        changes = overlay.commit(length)
        assert [
            {"path": c.path, "kind": c.kind, "size": c.size, "sha256": c.sha256.hex()}
            for c in changes
        ] == call["changes"]
        assert (state.version, state.root.hex()) == (call["filesVersion"], call["filesRoot"])
