"""A verifier of a backend's directory that was written from docs/spec*.md alone.

It imports nothing of nodevms. It checks everything but what only JavaScript can tell: whether the
result, error, gas, seed and changes of an entry are those that the script gives.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from independent_drive import Drive, check_header, marker_of
from independent_entry import DEPTH_MAX, depth, read_entry
from independent_feed import Feed, IsFalse, NotChecked, check_feed
from independent_state import Value, apply_changes, state_root

SEED = re.compile(r"[0-9a-f]{16}")
SHA256 = re.compile(r"[0-9a-f]{64}")
HOST = re.compile(r"[a-z0-9_.:\[\]-]{1,260}")
ENGINE = re.compile(r"sha256:[0-9a-f]{64}")
KEY_SHAPED = re.compile(r"[0-9a-fA-F]{64}")


@dataclass
class Backend:
    """What the entries so far lead to."""

    log: Feed
    metadata: Feed
    content: Feed
    state: dict[str, Value] = field(default_factory=dict)
    version: int = 0
    time: int = 0
    debug: bool = False
    limits: dict[str, int] = field(default_factory=dict)
    unpublished: dict[str, dict[str, Any]] = field(default_factory=dict)
    publications: int = 0

    def check_entry(self, seq: int, entry: dict[str, Any]) -> None:
        if (entry["type"] == "init") != (seq == 0):
            raise IsFalse("init")
        if entry["time"] < self.time:
            raise IsFalse("time")
        self.time = entry["time"]
        if not SEED.fullmatch(entry.get("seed", "0" * 16)):
            raise IsFalse("seed")
        if entry["type"] == "call":
            self.check_call(entry)
        else:
            self.check_start(entry)
        self.check_result(entry["result"])

    def check_call(self, entry: dict[str, Any]) -> None:
        user, args = entry["userId"], entry["args"]
        if user is not None and (not self.debug or KEY_SHAPED.fullmatch(user)):
            raise IsFalse("userId")
        too_long = len(args.encode()) > self.limits["argsBytes"]
        if args[0] != "[" or too_long or depth(args) > DEPTH_MAX:
            raise IsFalse("args")

    def check_start(self, entry: dict[str, Any]) -> None:
        if not ENGINE.fullmatch(entry["engine"]) or entry["hostApi"] != 1:
            raise NotChecked("engine")
        if "err" in entry["result"]:
            raise IsFalse("a start that failed")
        if min(entry["limits"].values()) < 1:
            raise NotChecked("limits")
        self.limits = entry["limits"]
        if entry["type"] == "init":
            self.debug = entry["debug"]
            if entry["filesArchiveUrl"] != f"dat://{self.metadata.key.hex()}":
                raise IsFalse("filesArchiveUrl")
            if entry["contentKey"] != self.content.key.hex():
                raise IsFalse("contentKey")

    def check_result(self, result: dict[str, Any]) -> None:
        if "res" in result and "err" in result:
            raise IsFalse("res and err")
        for text in (result.get("res", ""), result.get("err", "")):
            if depth(text) > DEPTH_MAX or len(text.encode()) > self.limits["resultBytes"]:
                raise IsFalse("res")
        if result["gas"] > self.limits["gas"]:
            raise IsFalse("gas")
        self.check_oracles(result)
        changes = result.get("changes", [])
        if ("changes" in result) != ("filesRoot" in result) or result.get("changes") == []:
            raise IsFalse("changes and filesRoot")
        apply_changes(self.state, changes, self.time)
        self.version += len(changes)
        if result["filesVersion"] != self.version:
            raise IsFalse("filesVersion")
        if "filesRoot" in result and result["filesRoot"] != state_root(self.state).hex():
            raise IsFalse("filesRoot")
        for change in changes:
            if change["kind"] == "file":
                self.check_content(change)
            self.unpublished[change["path"]] = change | {"time": self.time}

    def check_oracles(self, result: dict[str, Any]) -> None:
        oracles = result.get("oracles", [])
        if result.get("oracles") == [] or len(oracles) > self.limits["oracles"]:
            raise IsFalse("oracles")
        left = self.limits["oracleBytes"]
        for oracle in oracles:
            hosts = oracle.get("hosts", [])
            if not SHA256.fullmatch(oracle["source"]) or ("res" in oracle and "err" in oracle):
                raise IsFalse("an oracle")
            if oracle.get("hosts") == [] or hosts != sorted(set(hosts)) or len(hosts) > 8:
                raise IsFalse("an oracle's hosts")
            if not all(HOST.fullmatch(host) for host in hosts):
                raise IsFalse("an oracle's host")
            text = oracle.get("res", oracle.get("err", ""))
            left -= max(0, len(text.encode()) - 256)
            if left < 0 or depth(text) > DEPTH_MAX:
                raise IsFalse("an oracle's value")
            if "err" in oracle and not is_error(oracle["err"]):
                raise IsFalse("an oracle's error")

    def check_content(self, change: dict[str, Any]) -> None:
        end = change["block"] + -(-change["size"] // 65536)
        data = b"".join(self.content.blocks[change["block"] : end])
        there = end <= len(self.content.blocks) and len(data) == change["size"]
        if not there or sha256(data).hexdigest() != change["sha256"]:
            raise IsFalse("content")

    def check_publication(self, drive: Drive, marker: int, blocks: list[bytes]) -> None:
        if drive.publish(self.unpublished, marker) != blocks:
            raise IsFalse(f"the publication of {marker} entries")
        self.unpublished = {}
        self.publications += 1


def is_error(text: str) -> bool:
    error = json.loads(text, object_pairs_hook=Members, parse_int=float)
    if not isinstance(error, Members):
        return False
    names, values = [m[0] for m in error], [m[1] for m in error]
    if names in ([], ["value"]):
        return True
    told = names[:2] == ["name", "message"] and all(isinstance(v, str) for v in values[:2])
    return told and (
        len(names) == 2 or (names[2:] == ["code"] and isinstance(values[2], (str, float)))
    )


class Members(list):  # type: ignore[type-arg]
    """The members of an object, in order."""


def publications(metadata: Feed) -> dict[int, list[bytes]]:
    """Return the blocks of each publication by its marker."""
    found: dict[int, list[bytes]] = {}
    blocks: list[bytes] = []
    for block in metadata.blocks[1:]:
        blocks.append(block)
        marker = marker_of(block)
        if marker is None:
            continue
        if marker <= max(found, default=0) or len(blocks) > 65536:
            raise IsFalse("a marker")
        found[marker] = blocks
        blocks = []
    if blocks:
        raise IsFalse("a publication without an end")
    return found


def verify(directory: Path) -> Backend:
    """Check a directory, and return what it leads to.

    Raises:
        IsFalse: Something is false.
        NotChecked: Something is missing or unknown.
    """
    metadata = check_feed(directory / "files" / "metadata")
    log = check_feed(directory, "call-log.")
    content = check_feed(directory / "files" / "content")
    if not log.blocks:
        raise NotChecked("the log is empty")
    check_header(metadata, content.key)
    published = publications(metadata)
    drive = Drive(content)
    backend = Backend(log, metadata, content)
    for seq, block in enumerate(log.blocks):
        backend.check_entry(seq, read_entry(block))
        if seq + 1 in published:
            backend.check_publication(drive, seq + 1, published.pop(seq + 1))
    if published:
        raise IsFalse("a publication of what the log has not got")
    return backend
