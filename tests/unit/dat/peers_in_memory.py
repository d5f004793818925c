"""Downloaders and uploaders that talk in memory, through peers who may be anything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from power import Disk

from nodevms.dat import Limits, PublishedFeed, Uploader
from nodevms.dat.downloader import Downloader
from nodevms.dat.wire import Cancel, Message, Request, Unwant, Want
from nodevms.errors import NodeVMSError
from nodevms.feed import Feed, KeyPair, PartialFeed

PAIR = KeyPair.from_seed(b"\x3c" * 32)
HERE = Path("/feed")

Change = Callable[[Message, Random], Iterable[Message]]


def feed_of(blocks: list[bytes], step: int = 0) -> Feed:
    feed = Feed.create(HERE, "", PAIR, files=Disk())
    grow(feed, blocks, step)
    return feed


def grow(feed: Feed, blocks: list[bytes], step: int = 0) -> None:
    for at in range(0, len(blocks), step or max(len(blocks), 1)):
        feed.append(blocks[at : at + (step or len(blocks))])
        feed.sync()


def nothing() -> PartialFeed:
    return PartialFeed.create(HERE, "", PAIR.public, files=Disk())


class Line:
    """One connection of the downloader, with what goes over it each way."""

    def __init__(self, world: World, feed: Any, change: Change | None) -> None:
        self.to_peer: deque[Message] = deque()
        self.to_us: deque[Message] = deque()
        self.sent: list[Message] = []
        self.error: NodeVMSError | None = None
        self.uploader = Uploader(feed, self.to_us.append, limits=Limits(), now=0.0)
        self.answered = True
        self._world = world
        self._change = change
        self.download = world.downloader.join(self._send)

    def _send(self, message: Message) -> None:
        self.sent.append(message)
        self.to_peer.append(message)

    def carry(self) -> None:
        """Carry one message, either way."""
        world = self._world
        if self.to_peer and (not self.to_us or world.random.random() < 0.5):
            message = self.to_peer.popleft()
            assert isinstance(message, Request | Want | Cancel | Unwant)
            if self.answered:
                self.uploader.receive(message, world.now)
                self.uploader.pump(lambda: True)
        elif self.to_us:
            message = self.to_us.popleft()
            changed = [message] if self._change is None else self._change(message, world.random)
            try:
                for one in changed:
                    self.download.receive(one)
            except NodeVMSError as error:
                self.fail(error)

    def fail(self, error: NodeVMSError) -> None:
        self.error = error
        self.leave()

    def leave(self) -> None:
        self.download.leave()
        self.to_peer.clear()
        self.to_us.clear()
        self._world.lines.remove(self)


class World:
    """A downloader, its peers and the time."""

    def __init__(self, partial: PartialFeed | None = None, seed: int = 0, **options: Any) -> None:
        self.now = 0.0
        self.random = Random(seed)
        self.partial = partial or nothing()
        self.downloader = Downloader(self.partial, clock=lambda: self.now, **options)
        self.lines: list[Line] = []

    def connect(self, feed: Any, change: Change | None = None) -> Line:
        line = Line(self, PublishedFeed(feed) if isinstance(feed, Feed) else feed, change)
        self.lines.append(line)
        return line

    def run(self, seconds: float = 0.0) -> None:
        """Carry messages until there are none, and let time pass as long as it is told."""
        end = self.now + seconds
        while True:
            for _ in range(200_000):
                busy = [line for line in self.lines if line.to_peer or line.to_us]
                if not busy:
                    break
                self.random.choice(busy).carry()
            else:
                raise AssertionError("the peers talk for ever")
            if self.now >= end:
                return
            self.now += 1.0
            for line in tuple(self.lines):
                try:
                    line.download.tick(self.now)
                except NodeVMSError as error:
                    line.fail(error)
