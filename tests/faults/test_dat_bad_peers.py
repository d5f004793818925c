"""Bad peers of the swarm: each loses its connection, with one reason in the log, and nobody else.

Meanwhile a good peer reads the whole feed and checks every block. The clock is the tests' own.
"""

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nodevms.dat import Limits, PublishedFeed, Swarm
from nodevms.dat.wire import (
    Connection,
    Data,
    Handshake,
    Have,
    Message,
    Received,
    Request,
    Want,
    codec,
    messages,
)
from nodevms.dat.wire.frames import frame
from nodevms.dat.wire.varint import encode_varint
from nodevms.feed import Feed, KeyPair, Proof, discovery_key, verify_proof

PAIR, LARGE = KeyPair.from_seed(b"\x4d" * 32), KeyPair.from_seed(b"\x4e" * 32)
BLOCKS = [b"block %d" % index for index in range(300)]
LIMITS = Limits()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Site:
    """A swarm with two feeds, one of them with large blocks, and its clock."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.clock = Clock()
        self.swarm = Swarm(port=0, limits=limits, clock=self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds
        self.swarm.tick()


@pytest.fixture(scope="module")
def feeds(tmp_path_factory: pytest.TempPathFactory) -> Any:
    directory = tmp_path_factory.mktemp("feeds")
    with (
        Feed.create(directory, "", PAIR) as feed,
        Feed.create(directory, "large.", LARGE) as large,
    ):
        feed.append(BLOCKS)
        feed.sync()
        large.append([bytes(1 << 20)] * 32)
        large.sync()
        yield feed, large


@pytest.fixture
async def site(feeds: tuple[Feed, Feed]) -> AsyncIterator[Site]:
    site = Site()
    await site.swarm.start()
    for feed in feeds:
        site.swarm.share(PublishedFeed(feed))
    yield site
    await site.swarm.stop()


class Client:
    """A TCP connection to the swarm that says whatever it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.connection = Connection(Handshake(b"b" * 32, live=True))

    @classmethod
    async def connected(cls, site: Site, key: bytes | None = PAIR.public) -> Client:
        """Connect, and greet with a feed unless there is none."""
        client = cls(*await asyncio.open_connection("127.0.0.1", site.swarm.port))
        if key is not None:
            client.connection.open(key)
            await client.flush()
        return client

    async def flush(self) -> None:
        self.writer.write(self.connection.take())
        with suppress(ConnectionError):
            await self.writer.drain()

    async def say(self, *said: Message, key: bytes = PAIR.public) -> None:
        for message in said:
            self.connection.open(key).send(message)
        await self.flush()

    async def send(self, *frames: bytes) -> None:
        """Send any bytes, under the cipher once something was said."""
        self.connection._out._parts += frames
        await self.flush()

    async def hear(self) -> list[Message]:
        """Return the next messages, none when the connection has ended."""
        while data := await self.reader.read(1 << 18):
            heard = [
                event.message
                for event in self.connection.receive(data)
                if isinstance(event, Received)
            ]
            if heard:
                return heard
        return []

    async def wait_for_the_end(self) -> None:
        with suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass
        await self.close()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def read_well(site: Site) -> None:
    """Read the whole feed and check every block, as a good peer does."""
    client = await Client.connected(site)
    await client.say(Want(0, 8192), *(Request(index) for index in range(len(BLOCKS))))
    left = set(range(len(BLOCKS)))
    while left:
        heard = await client.hear()
        assert heard, "a good peer lost its connection"
        for message in heard:
            if isinstance(message, Data):
                assert message.value == BLOCKS[message.index]
                proof = Proof(message.nodes, message.signature)
                assert verify_proof(PAIR.public, message.index, message.value, proof)
                left.remove(message.index)
    port = client.writer.get_extra_info("sockname")[1]
    await client.close()
    while port in {peer.address.port for peer in site.swarm.peers}:  # noqa: ASYNC110
        await asyncio.sleep(0)


def raw(channel: int, kind: int, body: bytes = b"") -> bytes:
    return b"".join(frame(encode_varint(channel << 4 | kind), body))


def opening(channel: int, name: bytes) -> bytes:
    return raw(channel, 0, b"".join(codec.encode(messages.Feed(name))))


async def oversized_frame(client: Client) -> None:
    await client.send(b"\xff\xff\xff\xff")


async def frame_with_a_wrong_size_inside(client: Client) -> None:
    await client.send(raw(0, 9, b"\x08\x00\x12\xff\x01abc"))


async def frame_larger_than_any_that_was_asked_for(client: Client) -> None:
    await client.send(encode_varint(LIMITS.small_frame_bytes + 1))


async def hash_of_31_bytes(client: Client) -> None:
    await client.send(raw(0, 9, b"\x08\x00\x1a\x25\x08\x01\x12\x1f" + bytes(31) + b"\x18\x00"))


async def signature_of_63_bytes(client: Client) -> None:
    await client.send(raw(0, 9, b"\x08\x00\x22\x3f" + bytes(63)))


async def thousands_of_channels(client: Client) -> None:
    await client.send(*(opening(number, b"%32d" % number) for number in range(1, 5000)))


async def messages_on_a_channel_that_is_not_open(client: Client) -> None:
    await client.send(raw(200, 5, b"\x08\x00"))


async def endless_wants(client: Client) -> None:
    await client.say(*[Want(0, 8192)] * 3000)


async def endless_different_wants(client: Client) -> None:
    await client.say(*(Want(8192 * number, 8192) for number in range(3000)))


async def a_reply_never_asked_for(client: Client) -> None:
    await client.say(Data(3, b"surprise"))


async def requests_without_end(client: Client) -> None:
    await client.say(*(Request(index) for index in range(5000)))


async def a_second_handshake(client: Client) -> None:
    await client.send(raw(0, 1))


async def an_unknown_type(client: Client) -> None:
    await client.send(raw(0, 12))


FAULTS: list[tuple[Callable[[Client], Awaitable[None]], set[str]]] = [
    (oversized_frame, {"dat-frame"}),
    (frame_larger_than_any_that_was_asked_for, {"dat-frame"}),
    (frame_with_a_wrong_size_inside, {"dat-message"}),
    (hash_of_31_bytes, {"dat-message"}),
    (signature_of_63_bytes, {"dat-message"}),
    (thousands_of_channels, {"dat-channel"}),
    (messages_on_a_channel_that_is_not_open, {"dat-channel"}),
    (endless_wants, {"dat-wants"}),
    (endless_different_wants, {"dat-wants"}),
    (a_reply_never_asked_for, {"dat-unasked"}),
    (requests_without_end, {"dat-requests", "dat-nonsense"}),
    (a_second_handshake, {"dat-unexpected"}),
    (an_unknown_type, {"dat-unexpected"}),
]


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the codes of the reasons that were logged, one a connection."""
    said = [record.getMessage() for record in caplog.records if record.name == "nodevms.dat"]
    assert all(text.startswith("Ended the connection with 127.0.0.1:") for text in said)
    return [text.rpartition("[")[2].rstrip("]") for text in said]


@pytest.mark.parametrize(
    ("fault", "codes"), FAULTS, ids=lambda value: getattr(value, "__name__", "")
)
async def test_one_who_breaks_the_rules_loses_its_connection_and_nobody_else(
    site: Site,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[Client], Awaitable[None]],
    codes: set[str],
) -> None:
    bad = await Client.connected(site)
    await bad.say(Want(0, 8192))
    assert isinstance((await bad.hear())[0], Have)
    good = asyncio.create_task(read_well(site))
    await fault(bad)
    await bad.wait_for_the_end()
    await good
    assert len(reasons(caplog)) == 1
    assert set(reasons(caplog)) <= codes


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(100), "dat-unexpected"),
        (b"\xff" * 10, "dat-frame"),
        (raw(0, 0, b"\x0a\x1f" + bytes(31)), "dat-message"),
        (opening(0, discovery_key(PAIR.public)), "dat-nonce"),
        (raw(0, 5, b"\x08\x00"), "dat-unexpected"),
        (
            raw(0, 0, b"".join(codec.encode(messages.Feed(b"x" * 32, b"n" * 24)))),
            "dat-unknown-feed",
        ),
    ],
)
async def test_one_who_begins_wrongly_is_sent_away(
    site: Site, caplog: pytest.LogCaptureFixture, said: bytes, code: str
) -> None:
    bad = await Client.connected(site, None)
    bad.writer.write(said)
    await bad.wait_for_the_end()
    await read_well(site)
    assert reasons(caplog) == [code]


async def test_one_who_says_nothing_is_sent_away(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    silent = await Client.connected(site, None)
    await read_well(site)
    site.pass_time(LIMITS.handshake_seconds + 1)
    await silent.wait_for_the_end()
    assert reasons(caplog) == ["dat-handshake-timeout"]


async def test_one_byte_a_minute_is_too_slow(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    slow = await Client.connected(site)
    await slow.say(Want(0, 8192))
    await slow.hear()
    await slow.send(encode_varint(200_000))
    await slow.send(b"x")
    await read_well(site)
    site.pass_time(60)
    await slow.wait_for_the_end()
    assert reasons(caplog) == ["dat-slow"]


async def test_a_half_open_connection_ends(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    gone = await Client.connected(site)
    await gone.say(Want(0, 8192))
    await gone.hear()
    await read_well(site)
    site.pass_time(LIMITS.idle_seconds + 1)
    await gone.wait_for_the_end()
    await read_well(site)
    assert reasons(caplog) == ["dat-idle"]


async def test_one_who_does_not_read_holds_little_memory_and_is_given_up(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    deaf = await Client.connected(site, LARGE.public)
    deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
    tracemalloc.start()
    try:
        await deaf.say(
            *(Request(index % 32, 0, nodes=index) for index in range(32)), key=LARGE.public
        )
        await read_well(site)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
    (peer,) = [peer for peer in site.swarm.peers if LARGE.public in peer.keys]
    assert 0 < peer.sent_blocks < 32
    seconds = 0.0
    while site.swarm.peers and seconds < 2 * LIMITS.stall_seconds:
        seconds += 1
        await deaf.send(b"\x00")
        await asyncio.sleep(0)
        site.pass_time(1)
    await read_well(site)
    deaf.writer.transport.resume_reading()  # type: ignore[attr-defined]
    await deaf.wait_for_the_end()
    assert reasons(caplog) == ["dat-stalled"]


async def test_a_claim_of_petabytes_costs_nothing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    liar = await Client.connected(site)
    code = encode_varint(2**55 << 2 | 3) * 1000
    tracemalloc.start()
    try:
        await liar.say(*[Have(0, 2**53 - 1, code)] * 50)
        await read_well(site)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
    await liar.close()
    assert reasons(caplog) == []


async def test_channels_that_nobody_knows_hold_little_memory(site: Site) -> None:
    odd = await Client.connected(site)
    body = b"".join(codec.encode(Data(0, bytes(500_000))))
    tracemalloc.start()
    try:
        for number in range(1, 30):
            await odd.send(opening(number, b"%32d" % number), raw(number, 9, body))
        await read_well(site)
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
    await odd.close()


async def test_unfinished_frames_of_all_together_are_bounded(
    feeds: tuple[Feed, Feed], caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(replace(LIMITS, buffered_bytes_max=1_000_000))
    await site.swarm.start()
    site.swarm.share(PublishedFeed(feeds[0]))
    try:
        crowd = [await Client.connected(site) for _ in range(8)]
        for number, client in enumerate(crowd):
            await client.send(encode_varint(250_000), bytes(150_000 + number))
        while len(site.swarm.peers) > 6:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await read_well(site)
        assert set(reasons(caplog)) == {"dat-memory"}
        for client in crowd:
            await client.close()
    finally:
        await site.swarm.stop()


async def test_endless_keep_alives_hold_nobody_up(site: Site) -> None:
    chatty = await Client.connected(site)
    await chatty.send(bytes(4 << 20))
    await read_well(site)
    await chatty.say(Request(5))
    assert (await chatty.hear())[-1].value == BLOCKS[5]  # type: ignore[union-attr]
    await chatty.close()


async def test_strangers_who_say_nothing_take_nobodys_place(feeds: tuple[Feed, Feed]) -> None:
    site = Site(replace(LIMITS, connections_max=20, connections_per_host_max=10))
    await site.swarm.start()
    site.swarm.share(PublishedFeed(feeds[0]))
    try:
        friend = await Client.connected(site)
        await friend.say(Want(0, 8192))
        await friend.hear()
        crowd = [await Client.connected(site, None) for _ in range(50)]
        await read_well(site)
        assert len(site.swarm.peers) <= 10
        await friend.say(Request(7))
        assert (await friend.hear())[-1].value == BLOCKS[7]  # type: ignore[union-attr]
        for client in (friend, *crowd):
            await client.close()
    finally:
        await site.swarm.stop()


async def test_a_feed_that_is_damaged_or_raises_harms_only_its_reader(
    tmp_path: Path, feeds: tuple[Feed, Feed], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(PublishedFeed):
        def get(self, index: int) -> bytes:
            raise ZeroDivisionError

    pair = KeyPair.from_seed(b"\x4f" * 32)
    site = Site()
    await site.swarm.start()
    site.swarm.share(PublishedFeed(feeds[0]))
    site.swarm.share(Broken(feeds[1]))
    try:
        with Feed.create(tmp_path, "", pair) as damaged:
            damaged.append([b"right", b"more"])
            damaged.sync()
            (tmp_path / "data").write_bytes(b"wrong" + b"more")
            site.swarm.share(PublishedFeed(damaged))
            for key in (pair.public, LARGE.public):
                reader = await Client.connected(site, key)
                await reader.say(Request(0), key=key)
                await reader.wait_for_the_end()
            await read_well(site)
    finally:
        await site.swarm.stop()
    ended = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.rpartition("[")[2] for text in ended] == ["feed-damaged]", "dat-internal]"]
