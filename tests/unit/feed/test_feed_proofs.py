"""Proofs and heads that an enemy wrote, and forks of a feed."""

from dataclasses import replace
from pathlib import Path

import pytest

from nodevms.errors import LocalProtocolError
from nodevms.feed import (
    EMPTY_HEAD,
    Feed,
    FeedFalseError,
    ForkError,
    KeyPair,
    Node,
    Proof,
    check_extends,
    verify_head,
    verify_proof,
)

PAIR = KeyPair.from_seed(b"\x0b" * 32)


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    feed = Feed.create(tmp_path, "", PAIR)
    for count in (1, 3, 2, 5):
        feed.append([b"block %d" % at for at in range(feed.length, feed.length + count)])
        feed.sync()
    return feed


def test_every_block_has_a_proof_and_it_fits_no_other(feed: Feed) -> None:
    for index in range(feed.length):
        proof = feed.proof(index)
        assert verify_proof(PAIR.public, index, feed.get(index), proof) == feed.head()
        for wrong in (index + 1, index ^ 1, index + feed.length, -1, 2**70):
            with pytest.raises(FeedFalseError) as caught:
                verify_proof(PAIR.public, wrong, feed.get(index), proof)
            assert caught.value.code == "feed-proof"
        with pytest.raises(FeedFalseError):
            verify_proof(PAIR.public, index, b"another", proof)
        with pytest.raises(FeedFalseError):
            verify_proof(KeyPair.generate().public, index, feed.get(index), proof)
    feed.close()


def test_proofs_of_an_enemy_are_only_ever_false(feed: Feed) -> None:
    proof, block = feed.proof(4), feed.get(4)
    nodes = proof.nodes
    hostile = [
        Proof((), proof.signature),
        Proof(nodes[:-1], proof.signature),
        Proof(nodes[::-1], proof.signature),
        Proof(nodes * 2, proof.signature),
        Proof(nodes * 100, proof.signature),
        Proof(nodes, b""),
        Proof(nodes, proof.signature + b"\x00"),
        Proof((replace(nodes[0], size=2**64 - 1), *nodes[1:]), proof.signature),
        Proof((replace(nodes[0], size=2**64), *nodes[1:]), proof.signature),
        Proof((replace(nodes[0], size=-1), *nodes[1:]), proof.signature),
        Proof((replace(nodes[0], hash=b""), *nodes[1:]), proof.signature),
        Proof((replace(nodes[0], index=-3), *nodes[1:]), proof.signature),
        Proof((*nodes, Node(2**60, bytes(32), 1)), proof.signature),
    ]
    for wrong in hostile:
        with pytest.raises(FeedFalseError):
            verify_proof(PAIR.public, 4, block, wrong)
    feed.close()


def test_a_proof_ends_in_the_synced_head(feed: Feed) -> None:
    feed.append([b"not synced"])
    head = verify_proof(PAIR.public, 0, feed.get(0), feed.proof(0))
    assert head == feed.synced_head() != feed.head()
    with pytest.raises(LocalProtocolError):
        feed.proof(feed.length - 1)
    feed.close()


def test_a_head_is_what_was_signed_and_nothing_else(feed: Feed) -> None:
    head = feed.head()
    verify_head(PAIR.public, head)
    verify_head(PAIR.public, EMPTY_HEAD)
    other = feed.head_at(6)
    for wrong in (
        replace(head, length=head.length + 1),
        replace(head, byte_length=head.byte_length + 1),
        replace(head, roots=other.roots),
        replace(head, signature=other.signature),
        replace(other, signature=head.signature),
        replace(feed.head_at(5), signature=head.signature),
        replace(EMPTY_HEAD, roots=head.roots),
    ):
        with pytest.raises(FeedFalseError):
            verify_head(PAIR.public, wrong)
    feed.close()


def test_every_head_extends_every_earlier_one(feed: Feed) -> None:
    for length in range(feed.length + 1):
        new = feed.head_at(length)
        for earlier in range(length + 1):
            check_extends(feed.head_at(earlier), new, feed.node)
    with pytest.raises(LocalProtocolError):
        check_extends(feed.head(), feed.head_at(3), feed.node)
    feed.close()


@pytest.mark.parametrize("changed", range(11))
def test_a_rewritten_history_is_a_fork(changed: int, feed: Feed, tmp_path: Path) -> None:
    blocks = list(feed.get_many(0, feed.length))
    blocks[changed] = b"rewritten"
    with Feed.create(tmp_path / "fork", "", PAIR) as fork:
        fork.append([*blocks, b"more", b"and more"])
        fork.sync()
        for length in range(feed.length + 1):
            old = feed.head_at(length)
            if length <= changed:
                check_extends(old, fork.head(), fork.node)
                continue
            with pytest.raises(ForkError) as caught:
                check_extends(old, fork.head(), fork.node)
            assert (caught.value.old, caught.value.new) == (old, fork.head())
        with pytest.raises(ForkError):
            check_extends(feed.head(), fork.head_at(feed.length), fork.node)
    feed.close()
