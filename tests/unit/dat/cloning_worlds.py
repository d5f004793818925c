"""Peers of a drive that hand blocks over to a clone, and stop where they are told to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from clone_worlds import NOW, Source

from nodevms.dat.clone import CloneLimits, ClonePlace, Cloning, Progress
from nodevms.feed import Feed, Node, PartialFeed
from nodevms.feed.merkle import leaf_hash
from nodevms.feed.proofs import make_proof


class Handing:
    """A download whose peer has a feed up to some length."""

    def __init__(self, feed: PartialFeed, source: Feed, *, have: int | None = None) -> None:
        self.feed = feed
        self.source = source
        self.have = have
        self.wanted: list[int] = []
        self.asked = 0
        self.came = 0
        self.per_turn = 64

    @property
    def length(self) -> int:
        return self.source.length if self.have is None else min(self.have, self.source.length)

    @property
    def heard(self) -> bool:
        return bool(self.length) and self.feed.length >= self.length

    def want(self, ranges: Iterable[tuple[int, int]]) -> None:
        for start, end in ranges:
            self.asked += end - start
            self.wanted.extend(range(start, min(end, self.length)))

    async def news(self, seconds: float) -> None:
        await asyncio.sleep(0)
        if self.length > self.feed.length:
            self._put(self.feed.length, value=False)
        batch, self.wanted = self.wanted[: self.per_turn], self.wanted[self.per_turn :]
        for index in batch:
            if not self.feed.has(index):
                self._put(index, value=True)
                self.came += 1
        if not batch:
            await asyncio.sleep(min(seconds, 0.01))

    def _put(self, index: int, *, value: bool) -> None:
        proof = self.source.proof(index)
        head = self.source.head_at(self.length)
        if head != self.source.head():
            proof = make_proof(index, head, self.source.node)
        block = self.source.get(index)
        if not value:
            leaf = Node(2 * index, leaf_hash(block), len(block))
            self.feed.put(index, None, (leaf, *proof.nodes), proof.signature)
            return
        self.feed.put(index, block, proof.nodes, proof.signature)


class Cloned:
    """A clone that is open, and what it heard."""

    def __init__(
        self,
        source: Source,
        path: Path,
        *,
        metadata_have: int | None = None,
        content_have: int | None = None,
        **limits: float,
    ) -> None:
        self._stack = ExitStack()
        self.place = self._stack.enter_context(ClonePlace.open(path, source.key))
        self.progress: list[Progress] = []
        self.begun = asyncio.Event()
        self.metadata = Handing(self._feed("metadata.", source.metadata), source.metadata)
        self.metadata.have = metadata_have
        self.content: Handing | None = None

        def fetch_content(key: bytes) -> Handing:
            assert key == source.content.key
            self.content = Handing(self._feed("content.", source.content), source.content)
            self.content.have = content_have
            return self.content

        self.cloning = Cloning(
            self.place,
            self.metadata,
            fetch_content,
            limits=CloneLimits(**({"patience_seconds": 0.5} | limits)),  # type: ignore[arg-type]
            progress=self._hear,
            wall_clock=lambda: NOW,
        )

    def _hear(self, progress: Progress) -> None:
        self.progress.append(progress)
        if progress.stage == "files":
            self.begun.set()

    def _feed(self, prefix: str, source: Feed) -> PartialFeed:
        return self._stack.enter_context(self.place.feed(prefix, source.key))

    def __enter__(self) -> Cloned:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
