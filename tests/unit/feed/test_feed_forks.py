"""Evidence of a fork: proved to anybody, and nothing that an enemy writes passes for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodevms.errors import CouldNotCheckError, StorageError
from nodevms.feed import (
    EMPTY_HEAD,
    Feed,
    FeedFalseError,
    ForkEvidence,
    KeyPair,
    Node,
    keep_evidence,
    known_fork,
    read_evidence,
)
from nodevms.feed.forks import accuse
from nodevms.feed.heads import Head

PAIR = KeyPair.from_seed(b"\x0f" * 32)


def heads(directory: Path, blocks: list[bytes]) -> tuple[dict[int, Head], Feed]:
    feed = Feed.create(directory, "", PAIR)
    for block in blocks:
        feed.append([block])
        feed.sync()
    return {length: feed.head_at(length) for length in range(1, len(blocks) + 1)}, feed


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two histories that part at block 6, each signed at every length."""
    place = tmp_path_factory.mktemp("two")
    ours, one = heads(place / "one", [b"%d" % at for at in range(20)])
    theirs, other = heads(place / "other", [b"%d" % (at if at < 6 else -at) for at in range(20)])
    return {"ours": ours, "theirs": theirs, "one": one, "other": other}


def evidence_of(two: dict[str, Any], ours: int, theirs: int) -> ForkEvidence:
    longer = two["one"] if ours > theirs else two["other"]
    error = accuse(PAIR.public, two["ours"][ours], two["theirs"][theirs], longer.node)
    assert error.evidence is not None
    return error.evidence


def test_every_pair_of_heads_after_the_parting_is_a_fork_and_none_before(
    two: dict[str, Any],
) -> None:
    for ours in range(1, 21):
        for theirs in range(1, 21):
            if min(ours, theirs) <= 6:
                with pytest.raises(FeedFalseError) as caught:
                    evidence_of(two, ours, theirs)
                assert caught.value.code == "fork-unproved"
                continue
            evidence = evidence_of(two, ours, theirs)
            evidence.check()
            again = ForkEvidence.from_json(evidence.to_json())
            again.check()
            assert again == evidence


def test_two_heads_of_one_history_are_never_a_fork(two: dict[str, Any]) -> None:
    feed, ours = two["one"], two["ours"]
    for shorter in range(1, 20):
        for root in ours[shorter].roots:
            with pytest.raises(FeedFalseError):
                ForkEvidence(PAIR.public, ours[shorter], ours[20], (root,)).check()
            # A node with its true hash and another size, as a lying peer may give it.
            moved = replace(root, size=root.size + 1)
            with pytest.raises(FeedFalseError):
                ForkEvidence(PAIR.public, ours[shorter], ours[20], (moved, feed.node(9))).check()
        with pytest.raises(FeedFalseError):
            ForkEvidence(PAIR.public, ours[shorter], ours[shorter]).check()


def test_broken_evidence_proves_nothing(two: dict[str, Any]) -> None:
    good = evidence_of(two, 9, 20)
    assert len(good.path) > 1
    first = good.path[0]
    broken = [
        replace(good, key=KeyPair.generate().public),
        replace(good, key=b""),
        replace(good, shorter=good.longer, longer=good.shorter),
        replace(good, shorter=EMPTY_HEAD),
        replace(good, shorter=replace(good.shorter, signature=bytes(64))),
        replace(good, longer=replace(good.longer, signature=b"")),
        replace(good, longer=replace(good.longer, roots=())),
        replace(good, path=()),
        replace(good, path=good.path[:-1]),
        replace(good, path=good.path[1:]),
        replace(good, path=good.path[::-1]),
        replace(good, path=(*good.path, Node(2**50, bytes(32), 0))),
        replace(good, path=(replace(first, hash=bytes(32)), *good.path[1:])),
        replace(good, path=(replace(first, size=2**64 - 1), *good.path[1:])),
        replace(good, path=(replace(first, index=first.index + 2), *good.path[1:])),
    ]
    for evidence in broken:
        with pytest.raises(FeedFalseError) as caught:
            evidence.check()
        assert caught.value.code == "fork-unproved"


def hostile_texts(good: dict[str, Any]) -> list[bytes]:
    node = {"index": 0, "hash": "00" * 32, "size": 0}
    changes: list[dict[str, Any]] = [
        {"format": "nodevms-fork-2"},
        {"key": "zz" * 32},
        {"key": 7},
        {"key": "00"},
        {"path": [node] * 65},
        {"path": {"index": 0}},
        {"path": [{**node, "index": -1}]},
        {"path": [{**node, "index": 2**70}]},
        {"path": [{**node, "size": True}]},
        {"path": [{**node, "size": 1.5}]},
        {"path": [{**node, "hash": None}]},
        {"path": [[]]},
        {"longer": None},
        {"shorter": {**good["shorter"], "length": "9"}},
        {"shorter": {**good["shorter"], "length": 2**64}},
    ]
    texts = [json.dumps({**good, **change}).encode() for change in changes]
    return [*texts, b"", b"[]", b"null", b"\xff", b"[" * 60_000, b" " * 70_000, b"1" * 60_000]


def test_no_bytes_make_reading_fail_in_another_way(two: dict[str, Any]) -> None:
    good = json.loads(evidence_of(two, 9, 20).to_json())
    for text in hostile_texts(good):
        with pytest.raises(FeedFalseError) as caught:
            ForkEvidence.from_json(text).check()
        assert caught.value.code == "fork-unproved"


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, 5000), byte=st.integers(0, 255))
def test_a_changed_byte_never_fails_in_another_way(two: dict[str, Any], at: int, byte: int) -> None:
    text = bytearray(evidence_of(two, 13, 8).to_json())
    text[at % len(text)] = byte
    try:
        evidence = ForkEvidence.from_json(bytes(text))
        evidence.check()
    except FeedFalseError:
        return
    assert evidence == evidence_of(two, 13, 8)


def test_evidence_is_kept_once_and_nothing_is_written_over(
    two: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "made" / "forks"
    evidence = evidence_of(two, 9, 20)
    path = keep_evidence(folder, evidence)
    assert path.name.startswith(f"{PAIR.public.hex()[:16]}-9-20-")
    assert path.name.endswith(".fork.json")
    assert read_evidence(path) == evidence
    assert keep_evidence(folder, evidence) == path
    path.write_bytes(b"something else")
    second = keep_evidence(folder, evidence)
    assert second != path
    assert path.read_bytes() == b"something else"
    read_evidence(second).check()
    third = keep_evidence(folder, evidence_of(two, 20, 9))
    assert sorted(folder.iterdir()) == sorted([path, second, third])
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        keep_evidence(tmp_path / "file", evidence)
    with pytest.raises(CouldNotCheckError):
        read_evidence(tmp_path / "missing.fork.json")


def test_a_fork_is_known_as_long_as_its_evidence_is_kept(
    two: dict[str, Any], tmp_path: Path
) -> None:
    assert known_fork(tmp_path / "none", PAIR.public) is None
    evidence = evidence_of(two, 9, 20)
    broken = replace(evidence, key=PAIR.public[:8] + bytes(24))
    for no_proof in (broken, replace(evidence, path=evidence.path[1:])):
        keep_evidence(tmp_path, no_proof)
    (tmp_path / f"{PAIR.public.hex()[:16]}-text.fork.json").write_text("{}")
    (tmp_path / f"{PAIR.public.hex()[:16]}-folder.fork.json").mkdir()
    assert known_fork(tmp_path, PAIR.public) is None
    path = keep_evidence(tmp_path, evidence)
    error = known_fork(tmp_path, PAIR.public)
    assert error is not None
    assert error.evidence == evidence
    assert (error.exit_code, error.hint) == (1, f"Both signed heads are kept in {path}.")
    assert known_fork(tmp_path, bytes(32)) is None
    assert known_fork(tmp_path, broken.key) is None
