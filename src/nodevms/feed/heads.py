"""Signed heads: what a feed's key vouches for at one length, and whether one extends another.

A head is a few dozen bytes that commit to every block before it, their number and their sizes.
Nothing here reads a file; stored nodes come from a function that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodevms.errors import LocalProtocolError, ProvedFalseError
from nodevms.feed import flat_tree
from nodevms.feed.errors import FeedFalseError
from nodevms.feed.keys import verify_signature
from nodevms.feed.merkle import Node, parent_node, root_hash

if TYPE_CHECKING:
    from nodevms.feed.forks import ForkEvidence


@dataclass(frozen=True, slots=True)
class Head:
    """The state of a feed at one length.

    Attributes:
        length: Number of blocks.
        byte_length: Bytes of all of them.
        roots: Roots of the tree, left to right; none for an empty feed.
        signature: 64 bytes, or empty where no batch ended (and for an empty feed).
    """

    length: int
    byte_length: int
    roots: tuple[Node, ...]
    signature: bytes

    @property
    def root_hash(self) -> bytes:
        """The 32 bytes that the signature covers."""
        return root_hash(self.roots)


EMPTY_HEAD = Head(0, 0, (), b"")


class ForkError(ProvedFalseError):
    """Two signed heads of one key contradict each other.

    Attributes:
        old: The head that was known before.
        new: The head that contradicts it, as a longer one that does not have the old roots as its
            beginning.
        evidence: What proves it to anybody else, or None when only both feeds show it.
    """

    code = "feed-fork"

    def __init__(
        self, message: str, *, old: Head, new: Head, evidence: ForkEvidence | None = None
    ) -> None:
        super().__init__(message)
        self.old = old
        self.new = new
        self.evidence = evidence


def verify_head(key: bytes, head: Head) -> None:
    """Check that the key signed this head and that its numbers agree with its roots.

    Raises:
        FeedFalseError: They do not, or the signature is none of this key.
    """
    indexes = flat_tree.full_roots(head.length)
    if [root.index for root in head.roots] != indexes:
        raise FeedFalseError(f"The roots are not those of {head.length} blocks.")
    if sum(root.size for root in head.roots) != head.byte_length:
        raise FeedFalseError("The roots' sizes do not add up to the head's byte length.")
    if head.length and not verify_signature(key, head.root_hash, head.signature):
        raise FeedFalseError(
            f"The signature of the head of {head.length} blocks is not valid.",
            block=head.length - 1,
            code="feed-signature",
        )


def check_extends(old: Head, new: Head, node_at: Callable[[int], Node]) -> None:
    """Check that the blocks under the old head are the beginning of those under the new one.

    Computes the new roots from the old ones and as few stored nodes as possible. The answer is as
    good as these nodes: a fork is proved when they are known to belong to the new head, as after
    an audit; that the new head extends the old one is proved with any nodes.

    Args:
        old: The head known before.
        new: A head of at least the same length.
        node_at: Returns the stored node of the new feed's tree with this index.

    Raises:
        ForkError: The new head has another beginning.
        LocalProtocolError: The new head is shorter: that is for the caller to judge.
    """
    if new.length < old.length:
        raise LocalProtocolError(
            f"A head of {new.length} blocks cannot extend one of {old.length}.",
            code="feed-shorter-head",
        )
    known = {root.index: root for root in old.roots}

    def node(index: int) -> Node:
        found = known.get(index)
        if found is not None:
            return found
        if flat_tree.span(index)[0] >= old.length:
            return node_at(index)
        left, right = flat_tree.children(index)
        return parent_node(node(left), node(right))

    if old.length and any(node(root.index) != root for root in new.roots):
        raise ForkError(
            f"The feed of {new.length} blocks does not begin with the {old.length} blocks "
            "that its key signed before.",
            old=old,
            new=new,
        )
