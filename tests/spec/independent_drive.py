"""The published drive, written again as docs/spec-drive.md says, and with nothing of nodevms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from independent_feed import Feed, IsFalse, NotChecked

Names = tuple[str, ...]


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number % 128 + 128)
        number //= 128
    out.append(number)
    return bytes(out)


def field_bytes(tag: int, data: bytes) -> bytes:
    return bytes([tag]) + varint(len(data)) + data


def check_header(metadata: Feed, content_key: bytes) -> None:
    if not metadata.blocks:
        raise NotChecked("the drive has no header")
    if metadata.blocks[0] != b"\x0a\x0ahyperdrive\x12\x20" + content_key:
        raise IsFalse("the drive's header")


@dataclass
class Drive:
    """What a drive holds after the publications so far."""

    content: Feed
    version: int = 0
    there: dict[Names, int] = field(default_factory=dict)
    """The newest node of each path that is there."""
    newest: dict[Names, int] = field(default_factory=dict)
    """The newest node at or below each path."""

    def publish(self, changes: dict[str, dict[str, Any]], marker: int) -> list[bytes]:
        """Return the blocks of a publication: changes are (kind, size, block, time) by path."""
        ordered = sorted(changes.items(), key=lambda item: item[0].encode())
        present = [
            (names_of(path), change)
            for path, change in ordered
            if change["kind"] != "deleted" or names_of(path) in self.there
        ]
        present.sort(key=lambda item: item[1]["kind"] != "deleted")
        last: dict[Names, int] = {}
        for node, (names, change) in enumerate(present, self.version + 1):
            for depth in range(len(names) + 1):
                last[names[:depth]] = node
            if change["kind"] == "deleted":
                del self.there[names]
            else:
                self.there[names] = node
        self.newest.update(last)
        children = self.children()
        blocks = []
        for node, (names, change) in enumerate(present, self.version + 1):
            lists = self.lists(node, names, change["kind"] == "deleted", last, children)
            block = field_bytes(0x0A, ("/" + "/".join(names)).encode())
            if change["kind"] != "deleted":
                block += field_bytes(0x12, self.stat(change))
            block += field_bytes(0x1A, encode_lists(node, lists))
            if node == self.version + len(present):
                block += b"\x88\x01" + varint(marker)
            blocks.append(block)
        self.version += len(present)
        return blocks

    def children(self) -> dict[Names, set[Names]]:
        """Return for each folder what is in it and has something at or below it."""
        found: dict[Names, set[Names]] = {}
        for names in self.there:
            for depth in range(1, len(names) + 1):
                found.setdefault(names[: depth - 1], set()).add(names[:depth])
        return found

    def whole_list(self, folder: Names, children: dict[Names, set[Names]]) -> list[int]:
        own = [self.there[folder]] if folder in self.there else []
        return sorted([*own, *(self.newest[child] for child in children.get(folder, ()))])

    def lists(
        self,
        node: int,
        names: Names,
        deleted: bool,
        last: dict[Names, int],
        children: dict[Names, set[Names]],
    ) -> list[list[int]]:
        way = [names[:depth] for depth in range(len(names) + 1)]
        if deleted:
            while len(way) > 1 and not self.whole_list(way[-1], children):
                way.pop()
        unread = [] if deleted else [node]
        return [self.whole_list(f, children) if last[f] == node else unread for f in way]

    def stat(self, change: dict[str, Any]) -> bytes:
        time = varint(change["time"])
        if change["kind"] == "folder":
            return b"\x08" + varint(16877) + b"\x30\x01\x38\x00\x40" + time + b"\x48" + time
        size, block = change["size"], change["block"]
        blocks = -(-size // 65536)
        offset = block if blocks else max(block, 1)
        before = self.content.offsets[block] if blocks else 0
        numbers = (33188, 0, 0, size, blocks, offset, before, change["time"], change["time"])
        return b"".join(bytes([8 * n]) + varint(v) for n, v in enumerate(numbers, 1))


def names_of(path: str) -> Names:
    return tuple(path[1:].split("/"))


def encode_lists(node: int, lists: list[list[int]]) -> bytes:
    own = all(row and row[-1] == node for row in lists)
    out = b"\1" if own else b"\0"
    for row in lists:
        numbers = row[:-1] if own else row
        out += varint(len(numbers))
        before = 0
        for number in numbers:
            out += varint(number - before)
            before = number
    return out


def marker_of(block: bytes) -> int | None:
    """Return the marker of a node, which is its last field, if it has one."""
    at = 0
    while at < len(block):
        tag, at = read_varint(block, at)
        value, at = read_varint(block, at)
        if tag == 136:
            return value
        if tag not in {0x0A, 0x12, 0x1A}:
            raise IsFalse("a field of a node")
        at += value
    return None


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < 63:
        number |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return number, at
    raise IsFalse("a varint")
