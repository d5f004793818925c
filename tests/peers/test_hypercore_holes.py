"""A feed with holes, beside npm's hypercore: the same replies give the same files."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nodevms.feed import Feed, KeyPair, Node, PartialFeed, Proof, audit_feed

HERE = Path(__file__).parent
SEED = b"\x0d" * 32
PAIR = KeyPair.from_seed(SEED)
FILES = ["key", "data", "tree", "signatures", "bitfield"]

Step = dict[str, Any]


def node_replicates(source: Path, target: Path, steps: list[Step]) -> Any:
    beside = Path(sys.executable).parent / "node"
    node = str(beside) if beside.exists() else shutil.which("node")
    assert node is not None, "node is not installed"
    done = subprocess.run(
        [node, "--no-deprecation", "hypercore_holes.js", str(source), str(target), SEED.hex()],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        timeout=60,
        cwd=HERE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def proof_of(reply: Any) -> Proof:
    nodes = (Node(index, bytes.fromhex(hash_), size) for index, hash_, size in reply["nodes"])
    return Proof(tuple(nodes), bytes.fromhex(reply["signature"]))


def take(partial: PartialFeed, steps: list[Step], replies: list[Any]) -> None:
    """Put what hypercore's writer answered to hypercore's reader."""
    indexes = [step["get"] for step in steps if "get" in step]
    for index, reply in zip(indexes, replies, strict=True):
        assert partial.digest(index) == reply["digest"], index
        proof = proof_of(reply)
        partial.put(index, base64.b64decode(reply["block"]), proof.nodes, proof.signature)


def files(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in FILES}


def having(partial: PartialFeed) -> list[int]:
    return [index for index in range(partial.length) if partial.has(index)]


def gets(indexes: list[int]) -> list[Step]:
    return [{"get": index} for index in indexes]


def mixed_steps(random: Random) -> list[Step]:
    """Small feeds that grow while blocks come in any order, an empty block among them."""
    steps: list[Step] = []
    length = 0
    for _ in range(12):
        count = random.choice([1, 1, 2, 3, 8, 13])
        blocks = [bytes([length + at]) * random.choice([0, 1, 40]) for at in range(count)]
        steps.append({"append": [base64.b64encode(block).decode() for block in blocks]})
        # Only a full proof of the first new block shows, before any other, that the feed extends.
        steps += gets([length])
        length += count
        steps += gets(random.sample(range(length), length // 3))
    return steps


@pytest.mark.parametrize("number", range(3))
def test_the_same_replies_in_any_order_leave_the_same_files(number: int, tmp_path: Path) -> None:
    steps = mixed_steps(Random(number))
    said = node_replicates(tmp_path / "source", tmp_path / "theirs", steps)
    with PartialFeed.create(tmp_path / "ours", "", PAIR.public) as partial:
        take(partial, steps, said["replies"])
        partial.flush()
        assert having(partial) == said["has"]
        assert (partial.length, partial.byte_length) == (said["length"], said["byteLength"])
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")


def test_pages_and_their_index_are_those_of_hypercore(tmp_path: Path) -> None:
    random = Random(7)
    length = 69_000
    far = [8191, 8192, 32_767, 32_768, 65_535, 65_536, length - 1, 0, 40_000, 16_384]
    runs = [*range(30, 70), *range(8180, 8210), *range(65_500, 65_600), *range(length - 40, length)]
    steps = [{"fill": length}, *gets(far), *gets(random.sample(range(length), 400)), *gets(runs)]
    said = node_replicates(tmp_path / "source", tmp_path / "theirs", steps)
    with PartialFeed.create(tmp_path / "ours", "", PAIR.public) as partial:
        take(partial, steps, said["replies"])
        partial.flush()
        assert having(partial) == said["has"]
    assert files(tmp_path / "ours") == files(tmp_path / "theirs")


def test_either_goes_on_in_what_the_other_began(tmp_path: Path) -> None:
    first = [{"fill": 40}, *gets([0, 17, 39, 5, 6])]
    second = [{"fill": 30}, *gets([40, 41, 69, 4, 17, 20])]
    third = [{"fill": 9}, *gets([70, *range(79)])]
    source, ours = tmp_path / "source", tmp_path / "ours"
    said = node_replicates(source, tmp_path / "theirs", first)
    with PartialFeed.create(ours, "", PAIR.public) as partial:
        take(partial, first, said["replies"])
        partial.flush()
    said = node_replicates(source, ours, second)
    assert said["has"] == [0, 4, 5, 6, 17, 20, 39, 40, 41, 69]
    assert [base64.b64decode(block) for block in said["blocks"]] == [
        b"%d" % index for index in said["has"]
    ]
    with PartialFeed.open(ours, "", PAIR.public) as partial:
        assert having(partial) == said["has"]
        assert (partial.length, partial.byte_length) == (said["length"], said["byteLength"])
        assert [partial.get(index) for index in said["has"]] == [b"%d" % at for at in said["has"]]
    shutil.copytree(ours, tmp_path / "copy")
    said = node_replicates(source, tmp_path / "copy", third)
    with PartialFeed.open(ours, "", PAIR.public) as partial:
        take(partial, third, said["replies"])
        partial.flush()
        assert list(partial.missing(0, partial.length)) == []
    assert files(ours) == files(tmp_path / "copy")
    # With nothing missing it is a feed as any other.
    with (
        Feed.open(ours, "", writable=False) as whole,
        Feed.open(source, "", writable=False) as feed,
    ):
        assert whole.head() == feed.head()
        assert list(whole.get_many(0, 79)) == [b"%d" % index for index in range(79)]
    assert audit_feed(ours, "", PAIR.public) == feed.head()


def test_our_proofs_are_those_that_hypercore_sends_for_the_same_digest(tmp_path: Path) -> None:
    steps = mixed_steps(Random(11))
    replies = iter(node_replicates(tmp_path / "source", tmp_path / "theirs", steps)["replies"])
    partial = PartialFeed.create(tmp_path / "partial", "", PAIR.public)
    seen: set[str] = set()
    with partial, Feed.create(tmp_path / "ours", "", PAIR) as feed:
        for step in steps:
            if "append" in step:
                feed.append([base64.b64decode(block) for block in step["append"]])
                feed.sync()
                continue
            index, reply = step["get"], next(replies)
            assert feed.proof(index, reply["digest"]) == proof_of(reply)
            seen.add("signed" if reply["signature"] else f"ends in held {bool(reply['nodes'])}")
            partial.put(index, feed.get(index), proof_of(reply).nodes, feed.head().signature)
            # What is there is served with the same proofs as from the feed itself.
            for digest in range(0, 64, 7):
                assert partial.proof(index, digest) == feed.proof(index, digest)
    assert seen == {"signed", "ends in held True", "ends in held False"}
