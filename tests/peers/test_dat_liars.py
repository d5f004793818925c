"""Peers on npm's protocol that lie: each is sent away with its reason, and an honest one helps."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dat_fetching import check_evidence, fetching
from network import Network

from nodevms.feed import ForkError, PartialFeed

LENGTH, SIZE, COMMON = 40, 200, 20


@dataclass
class Liars:
    """One program that lies on every port in another way.

    Attributes:
        key: The feed's.
        ports: By lie; ``honest`` is one.
        blocks: The honest feed's.
    """

    key: bytes
    ports: dict[str, int]
    blocks: list[bytes]


@pytest.fixture(scope="module")
def liars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liars]:
    place = tmp_path_factory.mktemp("liars")
    with Network(place / "network", isolated=False) as network:
        feed, fork, stranger = (place / name for name in ("feed", "fork", "stranger"))
        make(network, feed, COMMON)
        shutil.copytree(feed, fork)
        make(network, feed, LENGTH - COMMON)
        make(network, fork, LENGTH - COMMON, SIZE + 1)
        make(network, stranger, LENGTH)
        liar = network.node("hypercore_liar.js", *map(str, (feed, fork, stranger)))
        ready = liar.wait_event("ready")
        data = (feed / "data").read_bytes()
        blocks = [data[at : at + SIZE] for at in range(0, len(data), SIZE)]
        yield Liars(bytes.fromhex(ready["key"]), ready["ports"], blocks)


def make(network: Network, directory: Path, count: int, size: int = SIZE) -> None:
    """Let hypercore append blocks to a feed."""
    maker = network.node("hypercore_serve.js", str(directory), "0")
    maker.tell({"count": count, "size": size})
    maker.wait_event("appended")
    maker.stop()


SENT_AWAY = {
    "wrong-block": "feed-path",
    "short-block": "feed-path",
    "no-block": "dat-unasked",
    "wrong-hash": "feed-path",
    "wrong-size": "feed-path",
    "wrong-signature": "feed-path",
    "no-signature": "feed-path",
    "no-nodes": "feed-path",
    "node-outside": "feed-path",
    "many-nodes": "dat-message",
    "wrong-index": "dat-unasked",
    "far-index": "dat-unasked",
    "other-feed": "feed-path",
    "other-proof": "feed-path",
    "unasked": "dat-unasked",
    "takes-back": "dat-unasked",
}
"""The code with which each is sent away."""
HOLDS_NOBODY_UP = [
    "silent",
    "half-silent",
    "claims-much",
    "claims-far",
    "claims-more",
    "claims-again",
    "endless",
]


@pytest.mark.parametrize("lie", SENT_AWAY)
async def test_who_lies_is_sent_away_and_nothing_is_lost(
    lie: str, liars: Liars, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "nodevms.dat")
    async with fetching(tmp_path, liars.key, liars.ports[lie]) as ours:
        await ours.until(lambda: caplog.messages)
        assert caplog.messages[0].startswith("Ended the connection with 127.0.0.1:")
        assert caplog.messages[0].endswith(f"[{SENT_AWAY[lie]}]")
        ours.ask(liars.ports["honest"])
        assert await ours.whole(LENGTH) == liars.blocks


async def test_who_claims_or_keeps_silent_holds_nobody_up(liars: Liars, tmp_path: Path) -> None:
    async def meet(lie: str) -> None:
        async with fetching(
            tmp_path / lie, liars.key, liars.ports[lie], clock=fast, live=False
        ) as ours:
            await ours.until(lambda: ours.fetch.peers)
            ours.ask(liars.ports["honest"])
            await ours.until(lambda: ours.fetch.done)
            assert await ours.whole(LENGTH) == liars.blocks, lie

    await asyncio.gather(*map(meet, HOLDS_NOBODY_UP))


def fast() -> float:
    """A clock for time-outs that nobody wants to wait for; npm's keep-alives still come in time."""
    return time.monotonic() * 4


@pytest.mark.parametrize("lie", ["other-history", "other-blocks"])
async def test_who_serves_another_history_proves_the_fork(
    lie: str, liars: Liars, tmp_path: Path
) -> None:
    """Whether it is another head that is shown, or blocks of another below a true head."""
    async with fetching(tmp_path, liars.key, liars.ports["honest"], ranges=[(0, 5)]) as ours:
        await ours.until(lambda: ours.fetch.complete and ours.feed.length == LENGTH)
        head = ours.feed.newest_head()
    with pytest.raises(ForkError) as caught:
        async with fetching(tmp_path, liars.key, liars.ports[lie]) as ours:
            await ours.whole(LENGTH)
    assert caught.value.old == head
    check_evidence(tmp_path, liars.key)
    with PartialFeed.open(tmp_path, "", liars.key) as feed:
        assert feed.head() == head
        kept = [feed.get(index) for index in range(LENGTH) if feed.has(index)]
        assert set(kept) <= set(liars.blocks)
