"""Which nodes of a proof the one who asks has already, by the digest in his request.

The digest is a number. Its lowest bit says whether he has a node above the block; each further
bit, from the leaf upwards, whether he has the sibling at that height; the highest set bit is, if
the lowest is set, not a sibling but the node above the block that he has. Digest 1 is: he has the
leaf itself; 0: nothing.

Spec: hypercore 6, as observed; DEP-0010 says only that there is a digest.
"""

from __future__ import annotations

from nodevms.feed.flat_tree import full_roots, parent, sibling, span


def lacking(index: int, digest: int, length: int) -> tuple[list[int], bool]:
    """Return what to send with a block of a feed without holes.

    Args:
        index: The block.
        digest: From the request, at most 64 bits.
        length: Number of blocks under the head that the proof may end in.

    Returns:
        Indexes of the nodes, from the block upwards and then the roots from left to right, and
        whether the proof goes up to the roots, so that it needs their signature.
    """
    if digest == 1:
        return [], False
    known = _known(2 * index, digest)
    roots = full_roots(length)
    top = 2 * index
    nodes: list[int] = []
    while top not in known:
        if top in roots:
            return nodes + [root for root in roots if root != top and root not in known], True
        beside = sibling(top)
        if beside not in known:
            nodes.append(beside)
        top = parent(top)
    return nodes, False


def _known(leaf: int, digest: int) -> set[int]:
    """Return the nodes on a leaf's way up, and the roots beside it, that the digest names."""
    known: set[int] = set()
    has_top = digest & 1
    digest >>= 1
    top = leaf
    while digest:
        if digest == 1 and has_top:
            known.add(top)
            # One who has a root has those to the left of it, too.
            known.update(full_roots(span(min(top, sibling(top)))[1]))
            break
        if digest & 1:
            known.add(sibling(top))
        top = parent(top)
        digest >>= 1
    return known
