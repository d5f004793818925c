"""npm's hypercore opens, audits and extends what we wrote, and we what it wrote."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from nodevms.feed import Feed, KeyPair, Node, Proof, audit_feed, verify_proof

HERE = Path(__file__).parent
SEED = b"\x0c" * 32
PAIR = KeyPair.from_seed(SEED)
FILES = ["key", "secret_key", "data", "tree", "signatures", "bitfield"]
BATCHES = [[b"one"], [b"two", b"", b"four" * 400], [b"5", b"6"], [b"{}\n"]]
MORE = [[b"more"], [b"and", b"more"]]


def run(program: str, *arguments: str, text: str = "") -> Any:
    beside = Path(sys.executable).parent / "node"
    node = str(beside) if beside.exists() else shutil.which("node")
    assert node is not None, "node is not installed"
    done = subprocess.run(
        [node, "--no-deprecation", str(HERE / program), *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=HERE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def node_appends(
    directory: Path, prefix: str, batches: list[list[bytes]], seed: bytes | None = None
) -> Any:
    coded = [[base64.b64encode(block).decode() for block in batch] for batch in batches]
    return run(
        "hypercore_append.js",
        str(directory),
        prefix,
        seed.hex() if seed else "-",
        text=json.dumps(coded),
    )


def node_reads(directory: Path, prefix: str, proofs: list[int]) -> Any:
    return run("hypercore_read.js", str(directory), prefix, json.dumps(proofs))


def we_append(directory: Path, prefix: str, batches: list[list[bytes]]) -> None:
    with Feed.open(directory, prefix, writable=True) as feed:
        for batch in batches:
            feed.append(batch)
            feed.sync()


def we_create(directory: Path, prefix: str, batches: list[list[bytes]]) -> None:
    Feed.create(directory, prefix, PAIR).close()
    we_append(directory, prefix, batches)


def digests(directory: Path, prefix: str) -> dict[str, str]:
    return {
        name: hashlib.sha256((directory / (prefix + name)).read_bytes()).hexdigest()
        for name in FILES
    }


def flat(*batches: list[list[bytes]]) -> list[bytes]:
    return [block for some in batches for batch in some for block in batch]


def check_both_agree(directory: Path, prefix: str, blocks: list[bytes]) -> None:
    """Hypercore and we read, audit and prove the same feed."""
    before = digests(directory, prefix)
    indexes = sorted({0, 1, len(blocks) // 2, len(blocks) - 1})
    said = node_reads(directory, prefix, indexes)
    assert digests(directory, prefix) == before
    assert [base64.b64decode(block) for block in said["blocks"]] == blocks
    assert said["audit"] == {"valid": len(blocks), "invalid": 0}
    assert said["has"] == said["length"] == len(blocks)
    assert said["writable"] is True

    seen: list[bytes] = []
    head = audit_feed(directory, prefix, bytes.fromhex(said["key"]), seen.insert)
    assert seen == blocks
    assert (head.length, head.byte_length) == (said["length"], said["byteLength"])
    with Feed.open(directory, prefix, writable=False) as feed:
        assert feed.head() == head
        assert feed.discovery_key.hex() == said["discoveryKey"]
        for index in indexes:
            theirs = said["proofs"][str(index)]
            proof = Proof(
                tuple(Node(at, bytes.fromhex(hash_), size) for at, hash_, size in theirs["nodes"]),
                bytes.fromhex(theirs["signature"]),
            )
            assert feed.proof(index) == proof
            assert verify_proof(feed.key, index, blocks[index], proof) == head


def test_hypercore_reads_what_we_wrote_and_goes_on(tmp_path: Path) -> None:
    prefix = "call-log."
    we_create(tmp_path, prefix, BATCHES)
    check_both_agree(tmp_path, prefix, flat(BATCHES))
    said = node_appends(tmp_path, prefix, MORE)
    assert said["key"] == PAIR.public.hex()
    check_both_agree(tmp_path, prefix, flat(BATCHES, MORE))
    we_append(tmp_path, prefix, MORE)
    check_both_agree(tmp_path, prefix, flat(BATCHES, MORE, MORE))


def test_we_read_what_hypercore_wrote_and_go_on(tmp_path: Path) -> None:
    prefix = "call-log."
    node_appends(tmp_path, prefix, BATCHES)
    check_both_agree(tmp_path, prefix, flat(BATCHES))
    we_append(tmp_path, prefix, MORE)
    check_both_agree(tmp_path, prefix, flat(BATCHES, MORE))
    node_appends(tmp_path, prefix, MORE)
    check_both_agree(tmp_path, prefix, flat(BATCHES, MORE, MORE))


def test_taking_turns_leaves_the_same_files_as_either_alone(tmp_path: Path) -> None:
    # Beyond 32,768 blocks the bitfield's index joins pages; its rules differ there.
    sizes = [3, 8189, 1, 9000, 16_000, 7000, 17_151, 2, 9000]
    number = iter(range(100_000))
    batches = [[b"%d" % next(number) for _ in range(size)] for size in sizes]
    node_appends(tmp_path / "theirs", "", batches, SEED)
    we_create(tmp_path / "ours", "", batches)
    assert digests(tmp_path / "ours", "") == digests(tmp_path / "theirs", "")

    mixed = tmp_path / "mixed"
    node_appends(mixed, "", batches[:4], SEED)
    we_append(mixed, "", batches[4:6])
    node_appends(mixed, "", batches[6:8])
    we_append(mixed, "", batches[8:])
    assert digests(mixed, "") == digests(tmp_path / "ours", "")
    assert audit_feed(mixed, "", PAIR.public).length == sum(sizes)


def test_an_empty_feed_of_either_opens_in_the_other(tmp_path: Path) -> None:
    we_create(tmp_path / "ours", "call-log.", [])
    assert node_reads(tmp_path / "ours", "call-log.", [])["length"] == 0
    node_appends(tmp_path / "ours", "call-log.", BATCHES)
    check_both_agree(tmp_path / "ours", "call-log.", flat(BATCHES))


def test_a_cut_feed_is_one_that_hypercore_can_use(tmp_path: Path) -> None:
    we_create(tmp_path, "", [*BATCHES, [b"torn" * 300] * 5])
    data = tmp_path / "data"
    data.write_bytes(data.read_bytes()[:-1])
    we_append(tmp_path, "", [])
    check_both_agree(tmp_path, "", flat(BATCHES))
    node_appends(tmp_path, "", MORE)
    check_both_agree(tmp_path, "", flat(BATCHES, MORE))


def test_hypercore_finds_the_block_that_our_audit_finds(tmp_path: Path) -> None:
    we_create(tmp_path, "", BATCHES)
    with (tmp_path / "data").open("r+b") as file:
        file.seek(3)
        file.write(b"T")
    assert node_reads(tmp_path, "", [])["audit"] == {"valid": 6, "invalid": 1}
