"""What two peers say to each other, as values. How they are spelled is in ``codec``.

All of a message's numbers and lengths are within the bounds that its attributes name: the codec
makes sure of it for what comes from outside.

Spec: DEP-0010 (wire protocol), hypercore-protocol 6.
"""

from __future__ import annotations

from dataclasses import dataclass

from nodevms.feed import Node

INDEX_MAX = 2**53 - 1
"""Greatest number of a block, node or byte: the greatest that a peer in JavaScript holds."""
PROOF_NODES_MAX = 128
EXTENSIONS_MAX = 256
EXTENSION_NAME_BYTES_MAX = 256
USER_DATA_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Feed:
    """Opens a channel.

    Attributes:
        discovery_key: 32 bytes.
        nonce: 24 bytes in the first Feed of each direction, which goes in plain text; else empty.
    """

    discovery_key: bytes
    nonce: bytes = b""


@dataclass(frozen=True, slots=True)
class Handshake:
    """The second message of each direction.

    Attributes:
        id: The peer's own 32 random bytes, or empty. Equal ids: somebody met himself.
        live: Keep the connection when everything is downloaded.
        user_data: Anything, at most USER_DATA_BYTES_MAX.
        extensions: Names of the extension messages that the sender understands, sorted.
        ack: The sender wants a Have with ``ack`` for each block that arrived.
    """

    id: bytes = b""
    live: bool = False
    user_data: bytes = b""
    extensions: tuple[str, ...] = ()
    ack: bool = False


@dataclass(frozen=True, slots=True)
class Info:
    """What the sender is doing with the feed; None where it does not say. At first, everything."""

    uploading: bool | None = None
    downloading: bool | None = None


@dataclass(frozen=True, slots=True)
class Have:
    """The sender has blocks.

    Attributes:
        start: The first of them.
        length: How many, or with a bitfield the length of the range that was wanted.
        bitfield: Run-length code of a bitmap from ``start`` on; empty if the message has none (one
            that has an empty bitfield is decoded with the code of an empty bitmap).
        ack: The blocks are those that the receiver sent: they arrived.
    """

    start: int
    length: int = 1
    bitfield: bytes = b""
    ack: bool = False


@dataclass(frozen=True, slots=True)
class Unhave:
    """The sender has lost blocks, or does not want them sent."""

    start: int
    length: int = 1


@dataclass(frozen=True, slots=True)
class Want:
    """The sender wants to hear which blocks the receiver has; length 0 is up to the end."""

    start: int
    length: int = 0


@dataclass(frozen=True, slots=True)
class Unwant:
    """The sender no longer wants to hear of these; length 0 is up to the end."""

    start: int
    length: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """The sender wants a block.

    Attributes:
        index: Which.
        bytes: If not zero, the block that holds this byte of the feed is wanted instead.
        hash: Only the proof, with the block's leaf as its first node, not the block.
        nodes: Digest of the tree nodes that the sender has, at most 64 bits; 0 for a full proof.
    """

    index: int
    bytes: int = 0
    hash: bool = False
    nodes: int = 0


@dataclass(frozen=True, slots=True)
class Cancel:
    """A request with the same numbers need not be answered."""

    index: int
    bytes: int = 0
    hash: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """A block, or only its proof.

    Attributes:
        index: Number of the block.
        value: The block, or None.
        nodes: The proof's nodes, at most PROOF_NODES_MAX.
        signature: 64 bytes, or empty where the proof needs none.
    """

    index: int
    value: bytes | None = None
    nodes: tuple[Node, ...] = ()
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Extension:
    """A message of a kind that both sides named in their handshakes.

    Attributes:
        type: The kind's name.
        payload: Anything that fits into a frame.
    """

    type: str
    payload: bytes


Message = Info | Have | Unhave | Want | Unwant | Request | Cancel | Data | Extension
"""What goes over an open channel."""
