"""Peers that come, go, come again, have only a part, or are met twice: npm's and ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dat_fetching import fetching
from network import Network
from program import Program

from nodevms.archive.drive_writer import DriveWriter
from nodevms.dat import Address, PublishedFeed, Swarm, SwarmThread
from nodevms.feed import Feed, KeyPair

PAIR = KeyPair.from_seed(b"\x71" * 32)
KEY = PAIR.public
BLOCKS = [b"%d " % number * 500 for number in range(600)]


@pytest.fixture(scope="module")
def npm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    with Network(tmp_path_factory.mktemp("npm"), isolated=False) as network:
        yield network


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    with Feed.create(tmp_path / "source", "", PAIR) as feed:
        feed.append(BLOCKS)
        feed.sync()
        yield feed


@contextmanager
def serving(*feeds: Feed, host: str = "127.0.0.1", port: int = 0) -> Iterator[SwarmThread[Swarm]]:
    thread = SwarmThread(Swarm(host=host, port=port))
    thread.start()
    try:
        for feed in feeds:
            drive = len(feeds) > 1 and feed is feeds[0]
            thread.call(thread.swarm.share, PublishedFeed(feed), drive=drive)
        yield thread
    finally:
        thread.stop()


def test_a_host_that_stops_in_the_middle_is_gone_on_with(
    npm: Network, feed: Feed, tmp_path: Path
) -> None:
    def reading(port: int) -> Program:
        address = f"127.0.0.1:{port}"
        place = str(tmp_path / "kept")
        return npm.node("hypercore_fetch.js", KEY.hex(), place, address, '{"live": true}')

    with serving(feed) as thread:
        port = thread.swarm.port
        reader = reading(port)

        def sent() -> int:
            return sum(peer.sent_blocks for peer in thread.call(lambda: thread.swarm.peers))

        reader.wait_until("some blocks", lambda: sent() > 9)
    reader.wait_event("disconnected")
    reader.stop()
    with serving(feed, port=port) as thread:
        assert thread.swarm.port == port
        reader = reading(port)
        synced = reader.wait_event("synced")
        reader.stop()
    assert (synced["length"], synced["byteLength"]) == (600, feed.byte_length)


async def test_a_live_download_goes_on_when_npm_s_peer_comes_again(
    npm: Network, tmp_path: Path
) -> None:
    source = str(tmp_path / "theirs")
    options = '{"count": 30, "size": 100}'
    server = await asyncio.to_thread(npm.node, "hypercore_serve.js", source, "0", options)
    ready = await asyncio.to_thread(server.wait_event, "ready")
    async with fetching(tmp_path / "ours", bytes.fromhex(ready["key"]), ready["port"]) as ours:
        await ours.whole(30)
        for length in (40, 50):
            await asyncio.to_thread(server.stop)
            server = await asyncio.to_thread(
                npm.node, "hypercore_serve.js", source, str(ready["port"])
            )
            await asyncio.to_thread(server.wait_event, "ready")
            server.tell({"count": 10, "size": 100})
            assert len(await ours.whole(length)) == length
        data = (tmp_path / "theirs" / "data").read_bytes()
        assert b"".join(ours.feed.get(index) for index in range(50)) == data


def sparse_peer(npm: Network, feed: Feed, place: Path, numbers: list[int]) -> int:
    """Have npm's hypercore fetch some blocks and serve them on; return its port."""
    with serving(feed) as thread:
        reader = npm.node(
            "hypercore_fetch.js",
            KEY.hex(),
            str(place),
            f"127.0.0.1:{thread.swarm.port}",
            '{"live": true, "sparse": true}',
        )
        for number in numbers:
            reader.tell({"get": number})
        reader.wait_until("its part", lambda: len(reader.documents("block")) == len(numbers))
        reader.stop()
    server = npm.node("hypercore_serve.js", str(place), "0", f'{{"key": "{KEY.hex()}"}}')
    return int(server.wait_event("ready")["port"])


async def test_two_of_npm_s_peers_that_have_half_each_are_enough(
    npm: Network, feed: Feed, tmp_path: Path
) -> None:
    ports = []
    for half in range(2):  # neither has the last block
        numbers = [number for number in range(599) if number // 50 % 2 == half]
        ports.append(
            await asyncio.to_thread(sparse_peer, npm, feed, tmp_path / f"half-{half}", numbers)
        )
    async with fetching(tmp_path / "ours", KEY, *ports) as ours:
        await ours.until(lambda: sum(end - at for at, end in ours.feed.missing(0, 600)) <= 1)
        assert [ours.feed.get(number) for number in range(599)] == BLOCKS[:599]


def test_npm_s_live_clone_follows_a_hundred_publications(npm: Network, tmp_path: Path) -> None:
    metadata = Feed.create(tmp_path / "metadata", "", PAIR)
    content = Feed.create(tmp_path / "content", "", PAIR.content_key_pair())
    drive = DriveWriter(metadata, content)
    drive.write_file("/first.txt", b"first", mtime_ms=1_500_000_000_000)
    target = tmp_path / "target"
    with serving(metadata, content) as thread:
        reader = npm.node(
            "hyperdrive_fetch.js",
            KEY.hex(),
            "-",
            str(target),
            f"127.0.0.1:{thread.swarm.port}",
            '{"live": true}',
        )
        reader.wait_event("synced")
        for number in range(100):
            drive.write_file(f"/{number % 10}.txt", b"%d" % number, mtime_ms=1_500_000_000_000)
        reader.wait_until(
            "the last version",
            lambda: any(each["version"] == drive.version for each in reader.documents("synced")),
        )
        reader.stop()
    expected = {f"{number}.txt": b"%d" % (90 + number) for number in range(10)}
    found = {path.name: path.read_bytes() for path in target.iterdir()}
    assert found == {**expected, "first.txt": b"first"}
    metadata.close()
    content.close()


async def test_one_peer_at_two_addresses_is_one_peer(feed: Feed, tmp_path: Path) -> None:
    swarm = Swarm(host="0.0.0.0", port=0)
    await swarm.start()
    swarm.share(PublishedFeed(feed))
    try:
        async with fetching(tmp_path / "ours", KEY, swarm.port) as ours:
            ours._network.swarm.connect("127.0.0.2", swarm.port, KEY)
            await ours.whole(600)
            await ours.until(lambda: len(ours._network.peers) == 2)
            assert ours.fetch.peers == 1
            assert ours.fetch.progress.blocks == 600
    finally:
        await swarm.stop()


async def test_peers_meet_over_ipv6(feed: Feed, tmp_path: Path) -> None:
    swarm = Swarm(host="::1", port=0)
    try:
        await swarm.start()
    except OSError:
        pytest.skip("there is no IPv6 here")
    swarm.share(PublishedFeed(feed))
    try:
        async with fetching(tmp_path / "ours", KEY) as ours:
            ours._network.swarm.connect("::1", swarm.port, KEY)
            await ours.whole(600)
            (peer,) = ours._network.peers
            assert peer.address == Address("::1", swarm.port)
            assert str(peer.address) == f"[::1]:{swarm.port}"
    finally:
        await swarm.stop()
