"""Tree nodes as the index stores them (private to the index, and hashed by nobody).

A reference is u8 0 (empty), u8 1 ‖ key ‖ SHA-256(value) (leaf), or u8 2 ‖ u48be id ‖ hash
(branch). A node is u8 bit index and two references.
"""

from __future__ import annotations

from nodevms.archive.tree import Branch, Leaf, Node, Ref, make_leaf

_ID_BYTES = 6
_BRANCH_BYTES = 1 + _ID_BYTES + 32
_LEAF_BYTES = 65


def encode_ref(ref: Ref | None) -> bytes:
    """Return a reference's bytes."""
    if ref is None:
        return b"\x00"
    if isinstance(ref, Leaf):
        return b"\x01" + ref.key + ref.value_hash
    return b"\x02" + ref.id.to_bytes(_ID_BYTES, "big") + ref.hash


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
    """Return a node's bytes, 79 to 131 of them."""
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
        node_id = int.from_bytes(data[at + 1 : at + 1 + _ID_BYTES], "big")
        return Branch(data[at + 1 + _ID_BYTES : at + _BRANCH_BYTES], node_id), at + _BRANCH_BYTES
    raise ValueError("no reference here")
