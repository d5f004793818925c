"""Whether what a peer sent belongs to the feed that we hold a part of.

A block below our head's length is taken only when the way up from it ends in a node that we hold
already; a longer head only when it is signed and its proof holds every root that we have, so that
our blocks are the beginning of it. Two signed heads that contradict each other are a fork, and
whatever else is wrong is the sender's fault.

One thing a proof does not settle: a parent's hash covers the sum of its children's sizes, so a
proof *without* the block leaves open how the lowest two nodes share theirs. Those two are not kept.

Nothing here reads a file: the nodes that we hold come from a :class:`HeldTree`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nodevms.feed import flat_tree
from nodevms.feed.errors import FeedFalseError, FeedUnprovedError
from nodevms.feed.forks import accuse
from nodevms.feed.heads import Head, verify_head
from nodevms.feed.merkle import SIZE_MAX, Node, leaf_hash, parent_node
from nodevms.feed.proofs import check_bounds


class HeldTree(Protocol):
    """The nodes that we hold: with a node always its sibling and parent, up to our head's roots."""

    def holds(self, index: int) -> bool:
        """Tell whether the node is held."""

    def node(self, index: int) -> Node:
        """Return a node that is held."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a peer sent for one block.

    Attributes:
        index: Number of the block.
        value: Its bytes, or None when only its place in the tree was asked for.
        nodes: The block's own node first when there is no value; then the siblings from the block
            upwards as far as we may lack them; then roots from left to right.
        signature: 64 bytes over the roots, or empty.
    """

    index: int
    value: bytes | None
    nodes: tuple[Node, ...]
    signature: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be stored.

    Attributes:
        nodes: Nodes that were not held before, and belong to the feed.
        head: The longer head that the reply proves, or None.
    """

    nodes: tuple[Node, ...]
    head: Head | None


class _Way:
    """The way up from a block through the nodes of a reply.

    Attributes:
        top: Where it has come to.
        seen: Every node on the way and beside it.
        rest: The reply's nodes that were not needed yet.
    """

    def __init__(self, reply: Reply) -> None:
        self.rest = list(reply.nodes)
        if reply.value is not None:
            self.top = Node(2 * reply.index, leaf_hash(reply.value), len(reply.value))
        elif self.rest and self.rest[0].index == 2 * reply.index:
            self.top = self.rest.pop(0)
        else:
            raise FeedFalseError(
                f"The reply has neither block {reply.index} nor its node.", block=reply.index
            )
        self.seen = {self.top.index: self.top}

    def up(self, tree: HeldTree | None) -> bool:
        """Go up by one node; tell whether that was possible."""
        sibling = flat_tree.sibling(self.top.index)
        if self.rest and self.rest[0].index == sibling:
            other = self.rest.pop(0)
        elif tree is not None and tree.holds(sibling):
            other = tree.node(sibling)
        else:
            return False
        left, right = (other, self.top) if sibling < self.top.index else (self.top, other)
        self.top = parent_node(left, right)
        self.seen[sibling] = other
        self.seen[self.top.index] = self.top
        return True

    def head(self, tree: HeldTree | None, signature: bytes) -> Head | None:
        """Return the head that the way ends in, None when it is no root of it or one is missing."""
        last = self.rest[-1].index if self.rest else self.top.index
        length = flat_tree.span(max(last, self.top.index))[1]
        given = {node.index: node for node in (self.top, *self.rest)}
        indexes = flat_tree.full_roots(length)
        if self.top.index not in indexes:
            return None
        roots = []
        for index in indexes:
            root = given.get(index)
            if root is None:
                if tree is None or not tree.holds(index):
                    return None
                root = tree.node(index)
            roots.append(root)
            self.seen[index] = root
        byte_length = sum(root.size for root in roots)
        if byte_length > SIZE_MAX:
            return None
        return Head(length, byte_length, tuple(roots), signature)


def judge(key: bytes, head: Head, tree: HeldTree, reply: Reply) -> Verdict:
    """Return what of a reply may be stored.

    Args:
        key: The feed's public key.
        head: The head that we hold, the empty one at first.
        tree: The nodes that we hold, all of them under this head.
        reply: What came; anything in it may be an enemy's.

    Raises:
        ForkError: The reply proves, with evidence, that the key signed another history than ours.
        FeedUnprovedError: It leads to a signed head that cannot be compared with ours.
        FeedFalseError: It is wrong, or not complete. A full proof of the same block tells whether
            that is the sender's fault (code ``feed-path``) or a fork.
    """
    check_bounds(reply.index, reply.nodes)
    way = _Way(reply)
    while True:
        top = way.top
        if tree.holds(top.index):
            if tree.node(top.index) != top:
                return _accuse(key, head, tree, reply)
            return Verdict(_new_nodes(way, tree, reply), None)
        if not way.up(tree):
            break
    new = way.head(tree, reply.signature)
    if new is None:
        raise _false(reply, "its nodes end in none that we hold", "feed-path")
    _check_signed(key, new, reply)
    _check_extends(key, head, tree, way, new)
    return Verdict(_new_nodes(way, tree, reply), new)


def _check_extends(key: bytes, head: Head, tree: HeldTree, way: _Way, new: Head) -> None:
    """Check that a signed head extends ours; no node that we hold was met on the way to it."""
    if new.length > head.length:
        theirs = [way.seen.get(root.index) for root in head.roots]
        for ours, node in zip(head.roots, theirs, strict=True):
            if node is not None and node.hash != ours.hash:
                raise accuse(key, head, new, way.seen.get)
            if node is not None and node != ours:
                raise FeedFalseError("The proof spreads sizes in another way than they are.")
        if None in theirs:
            raise FeedUnprovedError(
                f"The proof does not show that the head of {new.length} blocks extends ours of "
                f"{head.length}.",
                length=new.length,
                code="feed-unproved-extension",
            )
        return
    for root in new.roots:
        if tree.holds(root.index) and tree.node(root.index).hash != root.hash:
            raise accuse(key, head, new, _held(tree))
    raise FeedUnprovedError(
        f"We lack the nodes to compare a head of {new.length} blocks with ours of {head.length}.",
        length=new.length,
    )


def compare(key: bytes, head: Head, tree: HeldTree, reply: Reply) -> Head:
    """Compare the head that a full proof leads to with ours, by the proof's own nodes alone.

    Other than :func:`judge`, this sees a fork also where the block itself is the same in both
    histories.

    Returns:
        The signed head. It does not contradict ours as far as the nodes on both sides tell.

    Raises:
        ForkError: It contradicts ours; with evidence.
        FeedFalseError: The proof is wrong, or not complete (code ``feed-path``).
    """
    check_bounds(reply.index, reply.nodes)
    way = _Way(reply)
    while way.up(None):
        pass
    new = way.head(None, reply.signature)
    if new is None or not new.signature:
        raise _false(reply, "its nodes do not lead to a signed head", "feed-path")
    _check_signed(key, new, reply)
    if new.length == head.length:
        if new.root_hash != head.root_hash:
            raise accuse(key, head, new, _held(tree))
        return new
    shorter, at = (head, way.seen.get) if new.length > head.length else (new, _held(tree))
    for root in shorter.roots:
        node = at(root.index)
        if node is not None and node.hash != root.hash:
            raise accuse(key, head, new, at)
    return new


def _accuse(key: bytes, head: Head, tree: HeldTree, reply: Reply) -> Verdict:
    """Judge a reply that contradicts a node that we hold."""
    compare(key, head, tree, reply)
    raise _false(reply, "its nodes contradict those that we hold", "feed-path")


def _held(tree: HeldTree) -> Callable[[int], Node | None]:
    return lambda index: tree.node(index) if tree.holds(index) else None


def _check_signed(key: bytes, new: Head, reply: Reply) -> None:
    try:
        verify_head(key, new)
    except FeedFalseError as error:
        raise _false(reply, str(error), "feed-path") from error


def _new_nodes(way: _Way, tree: HeldTree, reply: Reply) -> tuple[Node, ...]:
    """Return the nodes that may be stored, and were not held."""
    new = {index: node for index, node in way.seen.items() if not tree.holds(index)}
    leaf, beside = 2 * reply.index, flat_tree.sibling(2 * reply.index)
    if reply.value is None and leaf in new and beside in new:
        del new[leaf], new[beside]
    return tuple(new.values())


def _false(reply: Reply, why: str, code: str) -> FeedFalseError:
    return FeedFalseError(
        f"What came for block {reply.index} does not belong to the feed: {why}.",
        block=reply.index,
        code=code,
    )
