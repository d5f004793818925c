"""A feed's files, checked as docs/spec.md says, and with nothing of nodevms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

NODE, SLOT, HEADER = 40, 64, 32


class IsFalse(Exception):
    """A claim was checked and is false."""


class NotChecked(Exception):
    """Something is missing, or unknown."""


def header(kind: int, size: int, name: bytes) -> bytes:
    head = b"\x05\x02\x57" + bytes([kind, 0]) + size.to_bytes(2, "big") + bytes([len(name)]) + name
    return head.ljust(HEADER, b"\0")


TREE_HEADER = header(2, NODE, b"BLAKE2b")
SIGNATURES_HEADER = header(1, SLOT, b"Ed25519")


def h(*parts: bytes) -> bytes:
    return blake2b(b"".join(parts), digest_size=32).digest()


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def number_of(depth: int, position: int) -> int:
    return ((2 * position + 1) << depth) - 1


@dataclass
class Roots:
    """The roots of the blocks so far: (depth, position, hash, size), from left to right."""

    items: list[tuple[int, int, bytes, int]]

    def add(self, block: bytes, index: int) -> Iterator[tuple[int, bytes]]:
        """Add a block, and yield every node that it completes: (number, 40 bytes)."""
        depth, position = 0, index
        digest, size = h(b"\0", u64(len(block)), block), len(block)
        yield number_of(depth, position), digest + u64(size)
        while self.items and self.items[-1][0] == depth:
            _, _, left, left_size = self.items.pop()
            depth, position, size = depth + 1, position // 2, left_size + size
            digest = h(b"\1", u64(size), left, digest)
            yield number_of(depth, position), digest + u64(size)
        self.items.append((depth, position, digest, size))

    def holes(self) -> list[int]:
        """Return the places between the roots."""
        return [((position + 1) << depth) * 2 - 1 for depth, position, _, _ in self.items[:-1]]

    def hash(self) -> bytes:
        parts = (
            digest + u64(number_of(depth, position)) + u64(size)
            for depth, position, digest, size in self.items
        )
        return h(b"\2", *parts)


@dataclass
class Feed:
    key: bytes
    blocks: list[bytes]
    offsets: list[int]
    """Where each block begins, and where the last one ends."""


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotChecked(str(error)) from error


def check_feed(directory: Path, prefix: str = "") -> Feed:
    key = read(directory / f"{prefix}key")
    data, tree, signatures = (
        read(directory / f"{prefix}{name}") for name in ("data", "tree", "signatures")
    )
    for file, wanted in ((tree, TREE_HEADER), (signatures, SIGNATURES_HEADER)):
        if len(file) < HEADER:
            raise NotChecked("a header is missing")
        if file[:HEADER] != wanted:
            raise IsFalse("a header")
    slots = [signatures[at : at + SLOT] for at in range(HEADER, len(signatures), SLOT)]
    length = max((n for n, slot in enumerate(slots, 1) if slot.strip(b"\0")), default=0)
    feed = Feed(key, [], [0])
    roots = Roots([])
    for index in range(length):
        check_block(feed, roots, index, data, tree)
        if slots[index].strip(b"\0"):
            check_signature(key, roots.hash(), slots[index])
    ends = (feed.offsets[-1], HEADER + NODE * max(2 * length - 1, 0), HEADER + SLOT * length)
    if any(tree[HEADER + NODE * hole :][:NODE].strip(b"\0") for hole in roots.holes()):
        raise NotChecked("bytes where no node is yet")
    if any(len(file) > end for file, end in zip((data, tree, signatures), ends, strict=True)):
        raise NotChecked("bytes after the end")
    return feed


def check_block(feed: Feed, roots: Roots, index: int, data: bytes, tree: bytes) -> None:
    size = int.from_bytes(node_at(tree, 2 * index)[32:], "big")
    start, end = feed.offsets[-1], feed.offsets[-1] + size
    if end > len(data):
        rest = data[start:]
        if h(b"\0", u64(len(rest)), rest) == node_at(tree, 2 * index)[:32]:
            raise IsFalse(f"the size of block {index}")
        raise NotChecked(f"block {index} is missing")
    for number, node in roots.add(data[start:end], index):
        if node_at(tree, number) != node:
            raise IsFalse(f"node {number}")
    feed.blocks.append(data[start:end])
    feed.offsets.append(end)


def node_at(tree: bytes, number: int) -> bytes:
    node = tree[HEADER + NODE * number :][:NODE]
    if len(node) < NODE or not node.strip(b"\0"):
        raise NotChecked(f"node {number} is missing")
    return node


def check_signature(key: bytes, message: bytes, signature: bytes) -> None:
    if len(signature) < SLOT:
        raise NotChecked("a part of a signature is missing")
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError) as error:
        raise IsFalse("a signature") from error
