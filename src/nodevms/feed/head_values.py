"""Heads and nodes as values of JSON: the one form that evidence and saved answers have.

The form is described in docs/spec-fork.md. What is read may come from an enemy: everything about
it is checked but what it means.
"""

from __future__ import annotations

from typing import Any, Final

from nodevms.feed.heads import Head
from nodevms.feed.keys import SIGNATURE_BYTES
from nodevms.feed.merkle import HASH_BYTES, SIZE_MAX, Node

_NODES_MAX: Final = 64
_INDEX_MAX: Final = 2**58


def node_value(node: Node) -> dict[str, Any]:
    """Return a node as a value of JSON."""
    return {"index": node.index, "hash": node.hash.hex(), "size": node.size}


def head_value(head: Head) -> dict[str, Any]:
    """Return a head as a value of JSON."""
    return {
        "length": head.length,
        "byteLength": head.byte_length,
        "roots": [node_value(root) for root in head.roots],
        "signature": head.signature.hex(),
    }


def head_of(value: Any) -> Head:
    """Return the head that a value of JSON spells.

    Raises:
        ValueError, KeyError, TypeError: It spells none.
    """
    return Head(
        number_of(value["length"], _INDEX_MAX),
        number_of(value["byteLength"], SIZE_MAX),
        nodes_of(value["roots"]),
        bytes_of(value["signature"], SIGNATURE_BYTES),
    )


def nodes_of(value: Any) -> tuple[Node, ...]:
    """Return the nodes that a value of JSON spells; raises as :func:`head_of`."""
    if not isinstance(value, list) or len(value) > _NODES_MAX:
        raise ValueError("a list of nodes is none, or too long")
    return tuple(
        Node(
            number_of(node["index"], _INDEX_MAX),
            bytes_of(node["hash"], HASH_BYTES),
            number_of(node["size"], SIZE_MAX),
        )
        for node in value
    )


def number_of(value: Any, most: int) -> int:
    """Return a whole number from 0 on.

    Raises:
        ValueError: It is none, or above ``most``.
    """
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("a number is none, or out of bounds")
    return value


def bytes_of(value: Any, size: int) -> bytes:
    """Return the bytes that hex digits spell.

    Raises:
        ValueError: They are not ``size`` bytes.
    """
    found = bytes.fromhex(value) if isinstance(value, str) else b""
    if len(found) != size or len(value) != 2 * size:  # spaces between the digits are skipped
        raise ValueError("a hash, key or signature has a wrong length")
    return found
