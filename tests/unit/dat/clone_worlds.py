"""A drive on disk, and its clone, with nothing between them but blocks that are handed over."""

from __future__ import annotations

import os
from pathlib import Path

from nodevms.archive import DriveWriter, TreeScan
from nodevms.archive.drive import FILE_MODE
from nodevms.archive.messages import NodeMessage, Stat
from nodevms.archive.sibling_lists import encode_sibling_lists
from nodevms.archive.tree_node import split_path
from nodevms.dat.clone import Checkout, ClonePlace, Result
from nodevms.feed import Feed, KeyPair, PartialFeed

NOW = 1_600_000_000.0
TIME_MS = 1_500_000_000_000


class Source:
    """A drive that we write."""

    def __init__(self, directory: Path, seed: int = 1) -> None:
        pair = KeyPair.from_seed(bytes([seed]) * 32)
        self.metadata = Feed.create(directory / "metadata", "", pair)
        self.content = Feed.create(directory / "content", "", pair.content_key_pair())
        self.drive = DriveWriter(self.metadata, self.content)
        self.key = self.metadata.key
        self.time_ms = TIME_MS

    def write(self, path: str, data: bytes) -> None:
        self.time_ms += 1000
        self.drive.write_file(path, data, mtime_ms=self.time_ms)

    def remove(self, *paths: str) -> None:
        for path in paths:
            self.drive.unlink(path)

    def publish(self, entries: dict[str, Stat]) -> None:
        """Write paths with whatever stats, true or not."""
        for path, stat in entries.items():
            self.drive._put(split_path(path), stat)

    def publish_raw(self, name: bytes, stat: Stat) -> None:
        """Append the only node of a drive, with any bytes for its name."""
        seq = self.metadata.length
        lists = [[seq] for _ in range(name.count(b"/") + 1)]
        paths = encode_sibling_lists(seq, lists)
        self.metadata.append([NodeMessage(name, stat.encode(), paths).encode()])
        self.metadata.sync()

    def store(self, data: bytes, **fields: int) -> Stat:
        """Append a content and return its stat, with some numbers changed."""
        offset, byte_offset = self.content.length, self.content.byte_length
        blocks = [data[at : at + 65_536] for at in range(0, len(data), 65_536)]
        self.content.append(blocks)
        self.content.sync()
        numbers = {
            "mode": FILE_MODE,
            "size": len(data),
            "blocks": len(blocks),
            "offset": offset,
            "byte_offset": byte_offset,
            "mtime_ms": self.time_ms,
        }
        return Stat(**(numbers | fields))

    @property
    def model(self) -> dict[str, bytes | None]:
        return {
            path[1:]: None if stat.is_folder else self.drive.read(path)
            for path, stat in self.drive.walk()
        }


class Arrived:
    """The content feed of a clone, to which blocks are handed over."""

    def __init__(self, feed: PartialFeed, source: Feed) -> None:
        self.feed = feed
        self.source = source
        self.took = 0

    def take(self, index: int) -> None:
        if not self.feed.has(index):
            proof = self.source.proof(index)
            self.feed.put(index, self.source.get(index), proof.nodes, proof.signature)
            self.took += 1


class Whole:
    """A metadata feed without holes."""

    def __init__(self, feed: Feed) -> None:
        self.get = feed.get

    def has(self, index: int) -> bool:
        return True


class Interrupted(Exception):
    pass


def clone(
    source: Source,
    path: Path,
    version: int | None = None,
    *,
    blocks_max: int | None = None,
    entries_max: int = 1000,
    folds: bool = False,
    restored: bool = False,
) -> Result:
    """Bring a folder to a version; break off after so many blocks."""
    with (
        ClonePlace.open(path, source.key) as place,
        place.feed("content.", source.content.key) as content,
    ):
        arrived = Arrived(content, source.content)
        place.folds = place.folds or folds
        checkout = Checkout(place, content, clock=lambda: NOW)
        version = source.drive.version if version is None else version
        if checkout.planned != version:
            scan = TreeScan(Whole(source.metadata), version)
            assert list(checkout.list_version(version, scan, entries_max=entries_max)) == []
        checkout.compare()
        try:
            for one in checkout.ranges(None, -1):
                for index in range(one.block, one.end):
                    if blocks_max is not None and arrived.took >= blocks_max:
                        raise Interrupted
                    arrived.take(index)
                content.flush()
                checkout.finish([one])
        except Interrupted:
            content.flush()
            raise
        result = checkout.complete()
        for held, changed in place.ledger.all_held():  # what it holds, it can serve
            if held.range is not None and not changed:
                for index in range(held.range.block, held.range.end):
                    assert content.has(index) or restored
                    assert not content.has(index) or content.get(index)
        return result


def files_in(path: Path) -> dict[str, bytes | None]:
    """Return what a folder holds, its own ``.dat`` left out."""
    found: dict[str, bytes | None] = {}
    for directory, folders, files in os.walk(path):
        here = Path(directory)
        if here == path:
            folders.remove(".dat")
        for name in folders:
            found[str((here / name).relative_to(path))] = None
        for name in files:
            found[str((here / name).relative_to(path))] = (here / name).read_bytes()
    return found


def with_folders(model: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """Return a drive's paths with the folders that only exist because something is in them."""
    found = dict(model)
    for path in model:
        names = path.split("/")
        for depth in range(1, len(names)):
            found.setdefault("/".join(names[:depth]), None)
    return found
