"""Evidence that a key signed two histories of one feed.

Two signed heads contradict each other when they are of equal length and have other roots, or when
the longer one commits to another node where the shorter one has a root. A node's hash commits to
every block under it, so one such place is enough: the evidence holds the longer head's node there
and the siblings that lead from it up to one of the longer head's roots. Whoever has the key's 32
bytes and these few hundred can check it, with no feed and no network.

The text form is described in docs/spec-fork.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from nodevms.feed import flat_tree
from nodevms.feed.errors import FeedFalseError
from nodevms.feed.head_values import bytes_of, head_of, head_value, node_value, nodes_of
from nodevms.feed.heads import ForkError, Head, verify_head
from nodevms.feed.keys import PUBLIC_KEY_BYTES
from nodevms.feed.merkle import Node, parent_node

FORMAT = "nodevms-fork-1"
EVIDENCE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class ForkEvidence:
    """Two signed heads of one key, and what shows that they contradict each other.

    Attributes:
        key: The feed's public key, 32 bytes.
        shorter: A signed head.
        longer: A signed head of at least its length.
        path: Empty for heads of equal length; else the node under ``longer`` at the place of a root
            of ``shorter``, then the siblings from there up to a root of ``longer``.
    """

    key: bytes
    shorter: Head
    longer: Head
    path: tuple[Node, ...] = ()

    def check(self) -> None:
        """Return when the evidence proves that the key's owner signed two histories.

        Everything in it may come from an enemy.

        Raises:
            FeedFalseError: It does not prove that (code ``fork-unproved``).
        """
        try:
            if len(self.key) != PUBLIC_KEY_BYTES or self.shorter.length < 1:
                raise FeedFalseError("A key or head is none.")
            for head in (self.shorter, self.longer):
                verify_head(self.key, head)
            self._check_contradiction()
        except FeedFalseError as error:
            raise FeedFalseError(
                f"The evidence does not prove a fork: {error}", code="fork-unproved"
            ) from error

    def _check_contradiction(self) -> None:
        if self.shorter.length == self.longer.length:
            if self.shorter.root_hash == self.longer.root_hash:
                raise FeedFalseError("The two heads are the same.")
            return
        if self.shorter.length > self.longer.length or not self.path:
            raise FeedFalseError("The longer head is not shown to contradict the shorter one.")
        top = self.path[0]
        if all(top.index != root.index or top.hash == root.hash for root in self.shorter.roots):
            raise FeedFalseError("Its first node contradicts no root of the shorter head.")
        for other in self.path[1:]:
            if other.index != flat_tree.sibling(top.index):
                raise FeedFalseError("Its nodes are no path.")
            top = parent_node(*sorted((top, other), key=lambda node: node.index))
        if top not in self.longer.roots:
            raise FeedFalseError("Its path does not lead to a root of the longer head.")

    def to_json(self) -> bytes:
        """Return the evidence as JSON text (docs/spec-fork.md), ending with a newline."""
        value = {
            "format": FORMAT,
            "key": self.key.hex(),
            "shorter": head_value(self.shorter),
            "longer": head_value(self.longer),
            "path": [node_value(node) for node in self.path],
        }
        return json.dumps(value, indent=2).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> ForkEvidence:
        """Return the evidence that a text holds; nothing about it is checked but its form.

        Raises:
            FeedFalseError: The text has not this form (code ``fork-unproved``).
        """
        try:
            if len(text) > EVIDENCE_BYTES_MAX:
                raise ValueError("it is too long")
            value = json.loads(text)
            if value["format"] != FORMAT:
                raise ValueError(f"its format is not {FORMAT}")
            return cls(
                bytes_of(value["key"], PUBLIC_KEY_BYTES),
                head_of(value["shorter"]),
                head_of(value["longer"]),
                nodes_of(value["path"]),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FeedFalseError(
                f"This is no evidence of a fork: {error!s:.200}.", code="fork-unproved"
            ) from error


def accuse(key: bytes, one: Head, other: Head, node_at: Callable[[int], Node | None]) -> ForkError:
    """Return the error for two heads of which one has a root that the other contradicts.

    Args:
        key: The feed's key.
        one: The head that was known before, signed.
        other: The one that contradicts it, signed.
        node_at: Returns the longer head's nodes, where they are known.

    Raises:
        FeedFalseError: The nodes show no contradiction.
    """
    shorter, longer = (one, other) if one.length <= other.length else (other, one)
    evidence = ForkEvidence(key, shorter, longer, _contradiction(shorter, longer, node_at))
    evidence.check()
    return fork_error(evidence, old=one, new=other)


def fork_error(evidence: ForkEvidence, *, old: Head, new: Head) -> ForkError:
    """Return the error that says what checked evidence proves."""
    return ForkError(
        f"The key of this feed signed two histories: one of {old.length} blocks, and another of "
        f"{new.length} that contradicts it.",
        old=old,
        new=new,
        evidence=evidence,
    )


def _contradiction(
    shorter: Head, longer: Head, node_at: Callable[[int], Node | None]
) -> tuple[Node, ...]:
    """Return the path of a :class:`ForkEvidence`; empty when there is none or none is needed."""
    if shorter.length == longer.length:
        return ()
    tops = {root.index: root for root in longer.roots}
    for root in shorter.roots:
        node = tops.get(root.index) or node_at(root.index)
        if node is None or node.hash == root.hash:
            continue
        path, index = [node], node.index
        while index not in tops:
            sibling = node_at(flat_tree.sibling(index))
            if sibling is None:
                break
            path.append(sibling)
            index = flat_tree.parent(index)
        else:
            return tuple(path)
    return ()
