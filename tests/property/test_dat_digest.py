"""What the digest leaves out of a proof is exactly what the requester can do without."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nodevms.feed.digest import lacking
from nodevms.feed.flat_tree import full_roots, parent, sibling, span


def EVERY(_: int) -> bool:
    return True


class Holder:
    """Has some nodes of a tree, and says so as npm's hypercore does."""

    def __init__(self) -> None:
        self.nodes: set[int] = set()

    def add(self, index: int) -> None:
        self.nodes.add(index)
        while sibling(index) in self.nodes:
            index = parent(index)
            self.nodes.add(index)

    def digest(self, block: int) -> int:
        top, digest = 2 * block, 0
        if top in self.nodes:
            return 1
        for height in range(10):
            if sibling(top) in self.nodes:
                digest |= 2 << height
            top = parent(top)
            if top in self.nodes:
                digest |= 4 << height | 1
                return 1 if digest == (8 << height) - 1 else digest
        return digest


@given(st.data())
def test_with_what_is_sent_every_block_can_be_verified(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, length - 1))
    have = data.draw(st.sets(st.integers(0, length - 1), max_size=6))
    holder = Holder()
    for block in sorted(have - {index}):
        holder.add(2 * block)
        for node in lacking(block, length, holder.digest(block), EVERY)[0]:
            holder.add(node)
    before = set(holder.nodes)
    nodes, signed = lacking(index, length, holder.digest(index), EVERY)
    verified = before | set(nodes)
    top, roots = 2 * index, full_roots(length)
    climbed = {top}
    while top not in roots and top not in before:
        assert sibling(top) in verified
        assert (sibling(top) in nodes) is not (sibling(top) in before)
        top = parent(top)
        climbed.add(top)
    assert signed or climbed & before
    if signed:
        assert set(roots) <= verified | climbed


@given(st.integers(0, 2**40), st.integers(0, 2**64 - 1), st.integers(1, 2**41))
def test_any_digest_gives_a_short_answer(index: int, digest: int, length: int) -> None:
    nodes, _ = lacking(index % length, length, digest, EVERY)
    assert len(nodes) <= 96
    assert all(span(node)[1] <= length for node in nodes)
