"""Paths, changes and the state root, as docs/spec-state.md says, and with nothing of nodevms."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from independent_feed import IsFalse, u64

HASH = re.compile(r"[0-9a-f]{64}")
Value = tuple[int, int, bytes, int]
"""(kind, size, SHA-256, mtime)."""


def is_canonical(path: str) -> bool:
    names = path.split("/")
    return (
        names[0] == ""
        and len(names) > 1
        and not any(name in {"", ".", ".."} or len(name.encode()) > 255 for name in names[1:])
        and len(path.encode()) <= 4096
        and not re.search(r"[\\\x00-\x1f\x7f-\x9f]", path)
    )


def parent(path: str) -> str:
    return path.rpartition("/")[0]


def apply_changes(state: dict[str, Value], changes: list[dict[str, Any]], time: int) -> None:
    """Make one entry's changes, after checking that they follow from the state."""
    last = b""
    for change in changes:
        path = change["path"]
        if not is_canonical(path) or path.encode() <= last:
            raise IsFalse(f"the path {path}")
        last = path.encode()
        check_members(change)
        if change["kind"] == "deleted" and path not in state:
            raise IsFalse(f"{path} was not there")
    for change in changes:
        if change["kind"] == "deleted":
            del state[change["path"]]
        elif change["kind"] == "folder":
            state[change["path"]] = (1, 0, bytes(32), time)
        else:
            digest = bytes.fromhex(change["sha256"])
            state[change["path"]] = (0, change["size"], digest, time)
    for path in state:
        above = parent(path)
        if above and state.get(above, (0,))[0] != 1:
            raise IsFalse(f"{path} has no folder")


def check_members(change: dict[str, Any]) -> None:
    named = change.keys() - {"path", "kind"}
    if change["kind"] == "file":
        if named != {"size", "sha256", "block"} or not HASH.fullmatch(change["sha256"]):
            raise IsFalse("a file's change")
    elif change["kind"] not in {"folder", "deleted"} or named:
        raise IsFalse("a change")


def state_root(state: dict[str, Value]) -> bytes:
    leaves = []
    for path, (kind, size, digest, mtime) in state.items():
        value = bytes([kind]) + u64(size) + digest + u64(mtime)
        leaves.append((sha256(path.encode()).digest(), sha256(value).digest()))
    return tree(sorted(leaves)) if leaves else sha256(b"\2").digest()


def tree(leaves: list[tuple[bytes, bytes]]) -> bytes:
    if len(leaves) == 1:
        return sha256(b"\0" + b"".join(leaves[0])).digest()
    bits = [f"{int.from_bytes(key, 'big'):0256b}" for key, _ in leaves]
    bit = next(at for at in range(256) if bits[0][at] != bits[-1][at])
    middle = next(at for at, text in enumerate(bits) if text[bit] == "1")
    return sha256(bytes([1, bit]) + tree(leaves[:middle]) + tree(leaves[middle:])).digest()
