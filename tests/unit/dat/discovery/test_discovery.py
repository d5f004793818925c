"""Several ways as one: who is passed on, how often, and how many."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from nodevms.dat.discovery import (
    PUBLIC_BOOTSTRAP,
    Discovery,
    MainlineDht,
    MulticastDiscovery,
    NodeAddress,
)
from nodevms.dat.discovery.found_peers import (
    AGAIN_SECONDS,
    FORGET_SECONDS,
    PEERS_MAX,
    PORTS_MAX,
    FoundPeers,
)
from nodevms.dat.discovery.interfaces import Interface, ipv4_interfaces
from nodevms.dat.discovery.link import Link
from nodevms.errors import UsageError

KEY = b"k" * 32
NOBODY = Interface(9999, "gone0", IPv4Address("10.9.9.9"), IPv4Network("10.9.9.0/24"), False)


def loopback() -> list[Interface]:
    """The tests' packets stay on this computer."""
    return [each for each in ipv4_interfaces() if each.loopback]


on_loopback = partial(MulticastDiscovery, interfaces=loopback)


class Seen:
    """Keeps what was found, and lets a test wait for it."""

    def __init__(self) -> None:
        self.peers: list[tuple[bytes, str, int]] = []
        self._changed = asyncio.Event()

    def __call__(self, key: bytes, host: str, port: int) -> None:
        self.peers.append((key, host, port))
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def started(*discoveries: Any) -> Any:
    for each in discoveries:
        await each.start()
    try:
        yield discoveries
    finally:
        for each in discoveries:
            await each.stop()


async def test_two_programs_on_this_computer_find_each_other_and_never_themselves() -> None:
    key = secrets.token_bytes(32)
    one_saw, two_saw = Seen(), Seen()
    one, two = Discovery(one_saw, [on_loopback]), Discovery(two_saw, [on_loopback])
    one.announce(key, 5001)  # before the start
    async with started(one, two):
        two.announce(key, 5002)
        one.lookup(key)
        two.lookup(key)
        await one_saw.until(lambda: bool(one_saw.peers))
        await two_saw.until(lambda: bool(two_saw.peers))
    assert one_saw.peers == [(key, "127.0.0.1", 5002)]
    assert two_saw.peers == [(key, "127.0.0.1", 5001)]


async def test_all_programs_on_this_computer_hear_each_packet() -> None:
    key = secrets.token_bytes(32)
    seen = [Seen() for _ in range(4)]
    seekers = [Discovery(each, [on_loopback]) for each in seen]
    async with started(*seekers):
        for each in seekers:
            each.lookup(key)
        sharer = Discovery(Seen(), [on_loopback])
        async with started(sharer):
            sharer.announce(key, 5001)
            for each in seen:
                await each.until(lambda each=each: bool(each.peers))  # type: ignore[misc]
    assert [each.peers for each in seen] == [[(key, "127.0.0.1", 5001)]] * 4


async def test_interfaces_that_fail_are_skipped_and_those_that_come_later_are_joined(
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = secrets.token_bytes(32)
    there = [NOBODY]
    asked = asyncio.Event()

    def interfaces() -> list[Interface]:
        asked.set()
        return there

    seen, other = Seen(), Seen()
    seeker = MulticastDiscovery(seen, interfaces=interfaces, scan_seconds=0.02)
    sharer, witness = on_loopback(Seen()), on_loopback(other)
    sharer.announce(key, 5001)
    seeker.lookup(key)
    witness.lookup(key)
    with caplog.at_level(logging.WARNING):
        async with started(sharer, seeker, witness):
            there += loopback()
            await seen.until(lambda: bool(seen.peers))
            del there[:]
            for _ in range(2):  # the first may have begun before
                asked.clear()
                await asked.wait()
            sharer.announce(key, 5002)
            await other.until(lambda: (key, "127.0.0.1", 5002) in other.peers)
    assert set(seen.peers) == {(key, "127.0.0.1", 5001)}
    assert [record.getMessage() for record in caplog.records] == [
        "No multicast DNS on gone0 (10.9.9.9): No such device"
    ]


async def test_a_link_hears_the_group_alone_and_only_programs_that_have_its_port() -> None:
    heard: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()
    (interface,) = loopback()

    def receive(_interface: Interface, packet: bytes, sender: str) -> None:
        if packet.endswith(mark):
            heard.put_nowait((packet, sender))

    mark = secrets.token_bytes(32)
    link = await Link.open(interface, receive, lambda *_: None)
    other = await Link.open(interface, receive, lambda *_: None)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as direct,
    ):
        here = socket.inet_aton("127.0.0.1")
        stranger.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        stranger.sendto(b"from another port" + mark, ("224.0.0.251", 5353))
        direct.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        direct.bind(("127.0.0.2", 5353))
        direct.sendto(b"to this program alone" + mark, ("127.0.0.1", 5353))
    other.send(b"as it should be" + mark)
    try:
        async with asyncio.timeout(20):
            for _ in range(2):  # both links hear it, and nothing before it
                assert await heard.get() == (b"as it should be" + mark, "127.0.0.1")
    finally:
        link.close()
        other.close()
        await asyncio.sleep(0)


def test_senders_whose_address_cannot_be_of_the_link_are_not_near() -> None:
    network = IPv4Network("100.64.3.0/24")
    link = Interface(2, "eth0", IPv4Address("100.64.3.1"), network, False)
    for address, near in {
        "100.64.3.200": True,
        "192.168.7.7": True,  # one link may carry several networks
        "169.254.1.1": True,
        "100.64.4.1": False,
        "8.8.8.8": False,
        "0.0.0.0": False,
    }.items():
        assert link.is_near(IPv4Address(address)) is near


def remember() -> FoundPeers:
    return FoundPeers(lambda: {"127.0.0.1", "192.168.1.2"})


def test_a_peer_is_news_once_and_again_after_a_while() -> None:
    peers = remember()
    assert peers.is_news(KEY, 0, "10.0.0.1", 1, 0.0)
    assert not peers.is_news(KEY, 0, "10.0.0.1", 1, AGAIN_SECONDS - 1)
    assert peers.is_news(KEY, 0, "10.0.0.1", 1, AGAIN_SECONDS)
    assert not peers.is_news(KEY, 0, "10.0.0.1", 1, AGAIN_SECONDS + 1)
    assert peers.is_news(b"l" * 32, 0, "10.0.0.1", 1, AGAIN_SECONDS + 1)


def test_two_ways_that_find_one_peer_pass_it_on_once() -> None:
    peers = remember()
    assert peers.is_news(KEY, 0, "10.0.0.1", 1, 0.0)
    assert not peers.is_news(KEY, 1, "10.0.0.1", 1, 0.0)


def test_we_are_not_news_to_ourselves_at_any_of_our_addresses() -> None:
    peers = remember()
    peers.own(3282)
    assert not peers.is_news(KEY, 0, "127.0.0.1", 3282, 0.0)
    assert not peers.is_news(KEY, 0, "192.168.1.2", 3282, 0.0)
    assert peers.is_news(KEY, 0, "192.168.1.2", 3283, 0.0)
    assert peers.is_news(KEY, 0, "192.168.1.3", 3282, 0.0)
    peers.disown(3282)
    assert peers.is_news(KEY, 0, "127.0.0.1", 3282, 0.0)


def test_a_flood_of_made_up_peers_is_bounded_and_forgets_nobody() -> None:
    peers = remember()
    assert peers.is_news(KEY, 0, "10.0.0.1", 1, 0.0)
    flood = [(f"10.1.{number // 200}.{number % 200}", 1) for number in range(5000)]
    assert sum(peers.is_news(KEY, 0, *each, 0.0) for each in flood) == PEERS_MAX - 1
    assert sum(peers.is_news(KEY, 0, *each, 1.0) for each in flood) == 0
    assert not peers.is_news(KEY, 0, "10.0.0.1", 1, 1.0)
    assert peers.is_news(KEY, 1, "10.2.0.1", 1, 1.0)  # another way has room of its own
    assert peers.is_news(KEY, 0, "10.2.0.2", 1, FORGET_SECONDS + 2)


def test_one_host_has_few_ports() -> None:
    peers = remember()
    ports = sum(peers.is_news(KEY, 0, "10.0.0.1", port, 0.0) for port in range(1, 1000))
    assert ports == PORTS_MAX
    assert peers.is_news(KEY, 0, "10.0.0.2", 1, 0.0)
    assert peers.is_news(KEY, 0, "10.0.0.1", 2000, FORGET_SECONDS)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_cannot_be_is_no_news(port: int) -> None:
    assert not remember().is_news(KEY, 0, "10.0.0.1", port, 0.0)


async def test_the_dht_without_libtorrent_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "libtorrent", None)
    discovery = Discovery(Seen(), [on_loopback, MainlineDht])
    with pytest.raises(UsageError) as caught:
        await discovery.start()
    assert caught.value.code == "no-libtorrent"
    assert caught.value.hint == "pip install 'nodevms[dht]'"


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "host:0", "host:65536", "a b:1", "::1:5"]
)
def test_an_address_of_no_node_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        NodeAddress.parse(text)


def test_addresses_of_nodes_are_read_and_written() -> None:
    for text in ("router.example:6881", "10.0.0.1:1", "[fd00::1]:25401"):
        assert str(NodeAddress.parse(text)) == text
    assert NodeAddress.parse("[::1]:5") == NodeAddress("::1", 5)
    assert not any(each.is_private() for each in PUBLIC_BOOTSTRAP)
    assert all(NodeAddress(host, 1).is_private() for host in ("127.0.0.1", "localhost", "fd00::1"))
