"""A drive in memory beside a plain dict that says what should be in it."""

from __future__ import annotations

import random

from drive_memory_feed import MemoryFeed

from nodevms.archive.drive import Drive
from nodevms.archive.drive_feeds import WritableBlocks
from nodevms.archive.drive_writer import create_drive
from nodevms.archive.publication import Published
from nodevms.archive.publisher import Publisher
from nodevms.archive.record import ZERO_HASH, Record, block_count

Model = dict[str, bytes | None]
"""Every path that is there, with a file's content or None for a folder."""


def record_of(content: bytes | None, block: int, time_ms: int) -> Record:
    if content is None:
        return Record("folder", 0, ZERO_HASH, time_ms, 0, 0)
    size = len(content)
    return Record("file", size, ZERO_HASH, time_ms, block, block_count(size))


class World:
    """Feeds, a publisher, and the model after every publication."""

    def __init__(
        self,
        metadata: WritableBlocks | None = None,
        content: WritableBlocks | None = None,
        **options: int,
    ) -> None:
        self.metadata = MemoryFeed(b"m" * 32) if metadata is None else metadata
        self.content = MemoryFeed(b"c" * 32) if content is None else content
        create_drive(self.metadata, self.content.key)
        self.options = options
        self.publisher = Publisher(self.metadata, self.content, **options)
        self.model: Model = {}
        self.time_ms = 1_500_000_000_000
        self.log_length = 1
        self.ends: dict[int, Model] = {0: {}}
        self.published: list[list[Published]] = []

    def change(self, path: str, content: bytes | None) -> Published:
        """Store a file's content (or make a folder) and return the change to publish."""
        self.time_ms += 1
        block = self.content.length
        if content:
            self.content.append(
                [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
            )
        self.content.sync()
        self.model[path] = content
        kind = "folder" if content is None else "file"
        return Published(path, kind, record_of(content, block, self.time_ms))

    def delete(self, path: str) -> Published:
        self.model.pop(path, None)
        return Published(path, "deleted", None)

    def publish(self, changes: list[Published]) -> int:
        self.log_length += 1
        version = self.publisher.publish(changes, self.log_length)
        if version not in self.ends:
            self.published.append(changes)
        self.ends[version] = dict(self.model)
        return version

    def reopen(self) -> None:
        self.publisher = Publisher(self.metadata, self.content, **self.options)

    def drive(self) -> Drive:
        return Drive(self.metadata, self.content)


def read_all(drive: Drive, version: int | None = None) -> Model:
    """Return what a drive's version holds, by walking it."""
    return {
        path: None if stat.is_folder else drive.read(path, version)
        for path, stat in drive.walk(version)
    }


def folders_of(model: Model) -> dict[str, list[str]]:
    """Return each folder's names, the root's and those without an entry of their own included."""
    found: dict[str, set[str]] = {"/": set()}
    for path, content in model.items():
        names = path.split("/")[1:]
        for depth, name in enumerate(names):
            found.setdefault("/" + "/".join(names[:depth]), set()).add(name)
        if content is None:
            found.setdefault(path, set())
    return {folder: sorted(names) for folder, names in found.items()}


def random_group(world: World, rng: random.Random, size: int) -> list[Published]:
    """Make random changes to a few nested folders, at most one a path, and return them."""
    group: dict[str, Published] = {}
    names = ["a", "b", "c.txt", "ü", "a b"]
    for _ in range(size):
        path = "".join(f"/{rng.choice(names)}" for _ in range(rng.randint(1, 4)))
        if rng.random() < 0.3 and world.model:
            top = rng.choice(sorted(world.model))
            for inside in [one for one in world.model if one == top or one.startswith(top + "/")]:
                group[inside] = world.delete(inside)
            continue
        for parent in parents_of(path):
            if world.model.get(parent, b"") is not None:
                group[parent] = world.change(parent, None)
        if world.model.get(path, b"") is None:
            for inside in [one for one in world.model if one.startswith(path + "/")]:
                group[inside] = world.delete(inside)
        content = None if rng.random() < 0.2 else rng.randbytes(rng.choice([0, 1, 40, 300]))
        group[path] = world.change(path, content)
    return list(group.values())


def parents_of(path: str) -> list[str]:
    names = path.split("/")[1:]
    return ["/" + "/".join(names[:depth]) for depth in range(1, len(names))]
