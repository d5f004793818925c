"""Tree nodes as the index stores them (private to the index, and hashed by nobody).

A reference is u8 0 (empty), u8 1 ‖ key ‖ SHA-256(value) (leaf), or u8 2 ‖ hash ‖ u8 length ‖ id
(branch). A node is u8 bit index and two references.
"""

from __future__ import annotations

from nodevms.archive.tree import Branch, Leaf, Node, Ref, make_leaf

_LEAF_BYTES = 65
_BRANCH_BYTES = 34


def encode_ref(ref: Ref | None) -> bytes:
    """Return a reference's bytes."""
    if ref is None:
        return b"\x00"
    if isinstance(ref, Leaf):
        return b"\x01" + ref.key + ref.value_hash
    return b"\x02%b%c%b" % (ref.hash, len(ref.id), ref.id)


def decode_ref(data: bytes) -> Ref | None:
    """Read a reference that takes all of the bytes.

    Raises:
        ValueError: It does not.
    """
    if data == b"\x00":
        return None
    ref, end = _read_ref(data, 0)
    if end != len(data):
        raise ValueError("bytes after a reference")
    return ref


def encode_node(node: Node) -> bytes:
    """Return a node's bytes: at a million files, about 105."""
    return bytes((node.bit,)) + encode_ref(node.left) + encode_ref(node.right)


def decode_node(data: bytes) -> Node:
    """Read a node.

    Raises:
        ValueError: The bytes are no node.
    """
    left, middle = _read_ref(data, 1)
    right, end = _read_ref(data, middle)
    if end != len(data):
        raise ValueError("bytes after a node")
    return Node(data[0], left, right)


def _read_ref(data: bytes, at: int) -> tuple[Ref, int]:
    tag = data[at : at + 1]
    if tag == b"\x01" and at + _LEAF_BYTES <= len(data):
        return make_leaf(data[at + 1 : at + 33], data[at + 33 : at + 65]), at + _LEAF_BYTES
    if tag == b"\x02" and at + _BRANCH_BYTES <= len(data):
        start = at + _BRANCH_BYTES
        end = start + data[start - 1]
        if end <= len(data):
            return Branch(data[at + 1 : start - 1], data[start:end]), end
    raise ValueError("no reference here")
