"""Swarms find each other over loopback, lose each other and meet again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nodevms.dat import Limits, PublishedFeed, Swarm, SwarmThread
from nodevms.errors import LocalProtocolError, UsageError
from nodevms.feed import Feed, KeyPair, discovery_key

PAIRS = [KeyPair.from_seed(bytes([0x5D + number]) * 32) for number in range(2)]
KEYS = [pair.public for pair in PAIRS]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
def feeds(tmp_path: Path) -> list[Feed]:
    made = [Feed.create(tmp_path / str(at), "", pair) for at, pair in enumerate(PAIRS)]
    for feed in made:
        feed.append([b"block"])
        feed.sync()
    return made


class Swarms:
    """Makes swarms, and stops them in the end."""

    def __init__(self) -> None:
        self.made: list[Swarm] = []

    async def start(self, *feeds: Feed, port: int | None = 0, **more: Limits) -> Swarm:
        swarm = Swarm(port=port, **more)
        self.made.append(swarm)
        await swarm.start()
        for feed in feeds:
            swarm.share(PublishedFeed(feed))
        return swarm


@pytest.fixture
async def swarms() -> AsyncIterator[Swarms]:
    swarms = Swarms()
    yield swarms
    for swarm in swarms.made:
        await swarm.stop()


def open_keys(swarm: Swarm) -> list[set[bytes]]:
    return [set(peer.keys) for peer in swarm.peers]


async def test_one_connection_carries_all_feeds_of_an_address(
    swarms: Swarms, feeds: list[Feed]
) -> None:
    one, two = await swarms.start(*feeds), await swarms.start(*feeds, port=None)
    two.connect("127.0.0.1", one.port, KEYS[0])
    await until(lambda: open_keys(one) == open_keys(two) == [{KEYS[0]}])
    two.found(discovery_key(KEYS[1]), "127.0.0.1", one.port)
    two.found(b"unknown" * 4, "127.0.0.1", one.port)
    await until(lambda: open_keys(one) == open_keys(two) == [set(KEYS)])
    assert [peer.incoming for peer in (*one.peers, *two.peers)] == [True, False]
    assert set(one.keys) == set(KEYS)
    two.unshare(KEYS[0])
    assert open_keys(two) == [{KEYS[1]}]


async def test_a_lost_peer_is_met_again(swarms: Swarms, feeds: list[Feed]) -> None:
    one, two = await swarms.start(feeds[0]), await swarms.start(feeds[0], port=None)
    two.connect("127.0.0.1", one.port, KEYS[0])
    await until(lambda: two.peers)
    await one.stop()
    await until(lambda: not two.peers)
    again = await swarms.start(feeds[0], port=one.port)
    assert again.port == one.port
    await until(lambda: again.peers and open_keys(two) == [{KEYS[0]}])
    two.unshare(KEYS[0])
    assert two.keys == ()


async def test_a_taken_port_is_no_obstacle(swarms: Swarms, feeds: list[Feed]) -> None:
    one = await swarms.start(feeds[0])
    two = await swarms.start(feeds[0], port=one.port)
    assert two.port not in {0, one.port}


async def test_a_swarm_that_finds_itself_lets_go(
    swarms: Swarms, feeds: list[Feed], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "nodevms.dat")
    swarm = await swarms.start(feeds[0])
    swarm.connect("127.0.0.1", swarm.port, KEYS[0])
    await until(lambda: "[dat-self]" in caplog.text)
    await until(lambda: not swarm.peers)
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]
    assert swarm._targets is not None
    await until(lambda: not swarm._targets._targets)  # type: ignore[union-attr]
    swarm.found(discovery_key(KEYS[0]), "127.0.0.1", swarm.port)
    assert not swarm._targets._targets


async def test_an_address_that_was_found_in_vain_is_given_up(
    swarms: Swarms, feeds: list[Feed]
) -> None:
    limits = replace(Limits(), tries_max=1, retry_seconds_max=0.01)
    swarm = await swarms.start(feeds[0], limits=limits)
    assert swarm._targets is not None
    swarm.found(discovery_key(KEYS[0]), "127.0.0.1", 1)
    swarm.connect("127.0.0.1", 2, KEYS[0])
    await until(lambda: len(swarm._targets._targets) == 1)  # type: ignore[union-attr]
    (left,) = swarm._targets._targets
    assert left.port == 2


async def test_addresses_are_bounded(swarms: Swarms, feeds: list[Feed]) -> None:
    limits = replace(Limits(), targets_max=5)
    swarm = await swarms.start(feeds[0], limits=limits)
    for port in range(1, 50):
        swarm.connect("127.0.0.1", port, KEYS[0])
    assert swarm._targets is not None
    assert len(swarm._targets._targets) == 5


async def test_what_makes_no_sense_is_refused(swarms: Swarms, feeds: list[Feed]) -> None:
    swarm = Swarm(port=None)
    with pytest.raises(LocalProtocolError):
        swarm.connect("127.0.0.1", 1, KEYS[0])
    swarm = await swarms.start(feeds[0])
    with pytest.raises(LocalProtocolError):
        swarm.connect("127.0.0.1", 1, KEYS[1])
    with pytest.raises(UsageError):
        swarm.connect("127.0.0.1", 65536, KEYS[0])
    swarm.found(discovery_key(KEYS[0]), "127.0.0.1", 0)
    with pytest.raises(LocalProtocolError):
        swarm.download(KEYS[1], None)  # type: ignore[arg-type]


def test_a_swarm_runs_on_a_thread_of_its_own(feeds: list[Feed]) -> None:
    thread = SwarmThread(Swarm(port=0))
    thread.start()
    thread.call(thread.swarm.share, PublishedFeed(feeds[0]))
    assert thread.call(lambda: thread.swarm.keys) == (KEYS[0],)
    with pytest.raises(LocalProtocolError):
        thread.call(thread.swarm.connect, "127.0.0.1", 1, KEYS[1])
    thread.stop()
    feeds[0].append([b"more"])
    feeds[0].sync()

    nowhere = SwarmThread(Swarm(host="203.0.113.1", port=0))
    with pytest.raises(OSError, match=r"assign|bind"):
        nowhere.start()
