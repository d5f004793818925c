"""Same key, same blocks, same batches: the six files of hypercore 6, byte for byte."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from nodevms.feed import Feed, KeyPair, audit_feed, verify_proof

VECTORS = Path(__file__).parents[2] / "vectors" / "dat_v1"
NAMES = ["feed-one", "feed-singles", "feed-batches", "call-log", "feed-9000"]
FILES = ["key", "secret_key", "data", "tree", "signatures", "bitfield"]


def load(name: str) -> tuple[dict[str, Any], list[list[bytes]]]:
    vector = json.loads((VECTORS / name / "vector.json").read_text())
    if name == "feed-9000":
        return vector, [[str(number).encode() for number in range(9000)]]
    data = (VECTORS / name / (vector["prefix"] + "data")).read_bytes()
    batches, at = [], 0
    for sizes in vector["batches"]:
        batch = []
        for size in sizes:
            batch.append(data[at : at + size])
            at += size
        batches.append(batch)
    return vector, batches


def digests(directory: Path, prefix: str) -> dict[str, str]:
    return {
        name: hashlib.sha256((directory / (prefix + name)).read_bytes()).hexdigest()
        for name in FILES
    }


@pytest.mark.parametrize("name", NAMES)
def test_we_write_the_files_of_hypercore(name: str, tmp_path: Path) -> None:
    vector, batches = load(name)
    prefix = vector["prefix"]
    wanted = vector.get("sha256") or digests(VECTORS / name, prefix)
    pair = KeyPair.from_seed(bytes.fromhex(vector["seed"]))
    with Feed.create(tmp_path, prefix, pair) as feed:
        for batch in batches:
            feed.append(batch)
            feed.sync()
        head = feed.head()
    assert digests(tmp_path, prefix) == wanted
    assert (head.length, head.byte_length) == (vector["length"], vector["byteLength"])
    assert [(root.index, root.hash.hex(), root.size) for root in head.roots] == [
        (root["index"], root["hash"], root["size"]) for root in vector["roots"]
    ]
    assert head.signature.hex() == vector["signature"]["signature"]

    with Feed.open(tmp_path, prefix, writable=True) as feed:
        assert feed.head() == head
        assert list(feed.get_many(0, feed.length)) == [
            block for batch in batches for block in batch
        ]
    assert digests(tmp_path, prefix) == wanted
    assert audit_feed(tmp_path, prefix, pair.public) == head


@pytest.mark.parametrize("name", NAMES)
def test_proofs_are_those_of_hypercore(name: str, tmp_path: Path) -> None:
    vector, batches = load(name)
    pair = KeyPair.from_seed(bytes.fromhex(vector["seed"]))
    with Feed.create(tmp_path, "", pair) as feed:
        for batch in batches:
            feed.append(batch)
            feed.sync()
        wanted, index = vector["proof"], vector["proof"]["block"]
        proof = feed.proof(index)
        assert [(node.index, node.hash.hex(), node.size) for node in proof.nodes] == [
            (node["index"], node["hash"], node["size"]) for node in wanted["nodes"]
        ]
        assert proof.signature.hex() == wanted["signature"]
        assert verify_proof(pair.public, index, feed.get(index), proof) == feed.head()


@pytest.mark.parametrize("name", NAMES[:-1])
def test_we_read_the_files_of_hypercore(name: str) -> None:
    vector, batches = load(name)
    blocks = [block for batch in batches for block in batch]
    with Feed.open(VECTORS / name, vector["prefix"], writable=False) as feed:
        assert feed.key.hex() == vector["key"]
        assert feed.discovery_key.hex() == vector["discoveryKey"]
        assert [feed.get(index) for index in range(feed.length)] == blocks
    seen: list[bytes] = []
    audit_feed(
        VECTORS / name,
        vector["prefix"],
        bytes.fromhex(vector["key"]),
        seen.insert,
    )
    assert seen == blocks
