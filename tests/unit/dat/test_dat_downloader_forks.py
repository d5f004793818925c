"""Forks in the hands of peers that remember what we hold, as npm's hypercore does."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from peers_in_memory import Line, World, feed_of, nothing

from nodevms.dat import PublishedFeed
from nodevms.feed import Feed, ForkError, Node, PartialFeed, Proof

BLOCKS = [b"block %d" % index for index in range(70)]
SEEDS = range(40)


class Remembering(PublishedFeed):
    """Leaves out of a proof every node that a digest once said we hold, whatever is asked for."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(feed)
        self._told: set[Node] = set()

    def proof(self, index: int, digest: int = 0) -> Proof:
        proof = super().proof(index, digest)
        if digest:
            self._told |= {*super().proof(index).nodes} - {*proof.nodes}
        nodes = tuple(node for node in proof.nodes if node not in self._told)
        return Proof(nodes, proof.signature)


def forked(length: int) -> Feed:
    return feed_of([*BLOCKS[:10], b"another", *BLOCKS[11:length]])


def errors(lines: Iterable[Line]) -> list[object]:
    return [line.error for line in lines if line.error is not None]


@pytest.mark.parametrize("theirs", [20, 40, 70])
@pytest.mark.parametrize("ours", [0, 5])
def test_of_two_histories_at_once_neither_is_hidden(theirs: int, ours: int) -> None:
    for seed in SEEDS:
        world = World(partial(ours), seed=seed)
        lines = [
            world.connect(Remembering(feed)) for feed in (feed_of(BLOCKS[:40]), forked(theirs))
        ]
        world.run()
        (error,) = errors(lines)
        assert isinstance(error, ForkError), seed
        assert error.evidence is not None
        error.evidence.check()


@pytest.mark.parametrize("lengths", [(40, 70), (40, 40), (5, 70), (70, 40, 40, 20)])
def test_honest_ones_are_all_asked(lengths: tuple[int, ...]) -> None:
    for seed in SEEDS:
        world = World(seed=seed)
        lines = [world.connect(Remembering(feed_of(BLOCKS[:length]))) for length in lengths]
        world.run()
        assert errors(lines) == []
        assert world.partial.length == 70 or 70 not in lengths
        assert [*world.partial.missing(0, max(lengths))] == []


def partial(length: int) -> PartialFeed:
    """A feed of which so many blocks came from an honest peer."""
    found = nothing()
    if length:
        world = World(found)
        world.connect(feed_of(BLOCKS[:length]))
        world.run()
    return found
