"""Two sessions talk without a socket, and time passes when the test says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodevms.dat import Limits, PublishedFeed
from nodevms.dat.feeds import Shared, SharedFeeds
from nodevms.dat.session import SelfConnectionError, Session
from nodevms.dat.wire import Data, Handshake, Have, Message, Request, Unhave, Want
from nodevms.errors import RemoteProtocolError
from nodevms.feed import Feed, ForkError, KeyPair, discovery_key

LIMITS = Limits()
PAIRS = [KeyPair.from_seed(bytes([0x3D + number]) * 32) for number in range(3)]
NAMES = [discovery_key(pair.public) for pair in PAIRS]


@pytest.fixture
def feeds(tmp_path: Path) -> Iterator[list[Feed]]:
    made = [Feed.create(tmp_path / str(at), "", pair) for at, pair in enumerate(PAIRS)]
    for feed in made:
        feed.append([b"zero", b"one", b"two"])
        feed.sync()
    yield made
    for feed in made:
        feed.close()


class Side:
    """One side: a session and the feeds that it shares."""

    def __init__(
        self,
        name: bytes,
        *feeds: Feed,
        live: bool = True,
        drive: bool = False,
        incoming: bool = False,
    ) -> None:
        self.feeds = SharedFeeds()
        self.shared = [Shared(PublishedFeed(feed), drive=drive) for feed in feeds]
        for shared in self.shared:
            self.feeds.add(shared)
        self.session = Session(
            self.feeds,
            Handshake(name * 32, live=live),
            incoming=incoming,
            limits=LIMITS,
            now=0.0,
            random=bytes,
        )


def talk(one: Side, two: Side, now: float = 0.0) -> None:
    """Let both say all that they have to say."""
    busy = True
    while busy:
        busy = False
        for here, there in ((one, two), (two, one)):
            while here.session.work(now, room=True):
                pass
            data = here.session.take(now)
            if data:
                there.session.receive(data, now)
                busy = True


class Wanting:
    """A download that asks each peer for block 1 and keeps what it heard."""

    def __init__(self, *, fork: bool = False) -> None:
        self.heard: list[Message] = []
        self.done = False
        self.left = 0
        self.fork = fork

    def join(self, send: Any) -> Wanting:
        send(Want(0, 8192))
        send(Request(1))
        return self

    def receive(self, message: Message) -> None:
        self.heard.append(message)
        if isinstance(message, Data):
            self.done = True
            if self.fork:
                raise ForkError("two histories", old=None, new=None)  # type: ignore[arg-type]

    def tick(self, now: float) -> None:
        pass

    def leave(self) -> None:
        self.left += 1


def test_the_answering_side_opens_what_it_shares_and_nothing_else(feeds: list[Feed]) -> None:
    client, server = Side(b"c", *feeds), Side(b"s", feeds[0], feeds[2])
    for shared in client.shared:
        client.session.open(shared, 0.0)
    talk(client, server)
    assert set(server.session.exchanges) == {NAMES[0], NAMES[2]}
    shared = Shared(PublishedFeed(feeds[1]))
    server.feeds.add(shared)
    assert server.session.connection.remote_opened(NAMES[1])
    server.session.open(shared, 0.0)
    talk(client, server)
    assert set(server.session.exchanges) == set(NAMES)


def test_a_feed_is_downloaded_while_another_one_is_uploaded(feeds: list[Feed]) -> None:
    client, server = Side(b"c", *feeds[:2]), Side(b"s", *feeds[:2])
    down, up = Wanting(), Wanting()
    client.shared[0].download, server.shared[1].download = down, up
    for shared in client.shared:
        client.session.open(shared, 0.0)
    talk(client, server)
    for wanting in (down, up):
        assert isinstance(wanting.heard[0], Have)
        assert isinstance(wanting.heard[-1], Data)
        assert wanting.heard[-1].value == b"one"
    client.session.leave()
    assert (down.left, up.left) == (1, 0)


@pytest.mark.parametrize("drive", [False, True])
def test_a_stream_that_is_not_live_ends_when_all_feeds_are_done(
    feeds: list[Feed], drive: bool
) -> None:
    client = Side(b"c", *feeds[:2], live=False)
    server = Side(b"s", *feeds[:2], drive=drive)
    wanted = [Wanting(), Wanting()]
    for shared, wanting in zip(client.shared, wanted, strict=True):
        shared.download = wanting
    client.session.open(client.shared[0], 0.0)
    talk(client, server)
    assert wanted[0].done
    ends = [side.session.tick(0.5, 0) for side in (client, server)]
    assert ends == [False, False]
    ends = [side.session.tick(10.0, 0) for side in (client, server)]
    assert ends == [True, not drive]
    if drive:
        client.session.open(client.shared[1], 10.0)
        talk(client, server, 10.0)
        assert not server.session.tick(10.0, 0)
        assert server.session.tick(13.0, 0)


def test_a_live_stream_goes_on_when_all_is_done(feeds: list[Feed]) -> None:
    client, server = Side(b"c", feeds[0]), Side(b"s", feeds[0])
    client.shared[0].download = Wanting()
    client.session.open(client.shared[0], 0.0)
    talk(client, server)
    for now in (1.0, 5.0, 11.0):
        assert not client.session.tick(now, 0)
        assert not server.session.tick(now, 0)
        talk(client, server, now)


def test_a_fork_says_of_which_feed(feeds: list[Feed]) -> None:
    client, server = Side(b"c", feeds[0]), Side(b"s", feeds[0])
    client.shared[0].download = Wanting(fork=True)
    client.session.open(client.shared[0], 0.0)
    with pytest.raises(ForkError):
        talk(client, server)
    assert client.session.forked is client.shared[0]


def test_one_who_meets_himself_notices(feeds: list[Feed]) -> None:
    client, server = Side(b"c", feeds[0]), Side(b"c", feeds[0], incoming=True)
    client.session.open(client.shared[0], 0.0)
    with pytest.raises(SelfConnectionError):
        talk(client, server)


def test_a_feed_may_be_shared_again(feeds: list[Feed]) -> None:
    client, server = connected(feeds)
    server.session.close(NAMES[0])
    channel = client.session.connection.open(PAIRS[0].public)
    channel.send(Request(0))
    talk(client, server)
    assert server.session.exchanges == {}
    server.session.open(server.shared[0], 0.0)
    client.shared[0].download = wanting = Wanting()
    client.session.open(client.shared[0], 0.0)
    talk(client, server)
    assert wanting.done


def test_a_download_that_begins_later_asks_then(feeds: list[Feed]) -> None:
    client, server = Side(b"c", feeds[0]), Side(b"s", feeds[0])
    client.session.open(client.shared[0], 0.0)
    talk(client, server)
    wanting = Wanting()
    client.shared[0].download = wanting
    client.session.open(client.shared[0], 1.0)
    talk(client, server, 1.0)
    assert wanting.done


def connected(feeds: list[Feed]) -> tuple[Side, Side]:
    client, server = Side(b"c", feeds[0]), Side(b"s", feeds[0])
    client.session.open(client.shared[0], 0.0)
    talk(client, server)
    return client, server


def test_silence_is_broken_by_keep_alives_which_keep_the_other_side(feeds: list[Feed]) -> None:
    client, server = connected(feeds)
    for second in range(1, 100):
        for here, there in ((client, server), (server, client)):
            here.session.tick(float(second), 0)
            data = here.session.take(float(second))
            assert len(data) == (second % 2 == 0)
            if data:
                there.session.receive(data, float(second))
                there.session.work(float(second), room=True)


def expect(side: Side, now: float, code: str, unsent_bytes: int = 0) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        side.session.tick(now, unsent_bytes)
    assert caught.value.code == code


def test_no_handshake_and_silence_end_a_session(feeds: list[Feed]) -> None:
    silent = Side(b"s", feeds[0])
    silent.session.tick(10.0, 0)
    expect(silent, 10.1, "dat-handshake-timeout")
    _, server = connected(feeds)
    server.session.tick(20.0, 0)
    expect(server, 20.1, "dat-idle")


def test_a_large_frame_may_take_its_time_but_not_for_ever(feeds: list[Feed]) -> None:
    client, server = connected(feeds)
    channel = client.session.connection.open(PAIRS[0].public)
    channel.send(Data(0, bytes(100_000)))
    frame = client.session.take(0.0)
    assert len(frame) > 100_000
    for second in range(1, 60):
        server.session.receive(frame[second * 1100 - 1100 : second * 1100], float(second))
        server.session.work(float(second), room=True)
        server.session.tick(float(second), 0)
    expect(server, 100.0, "dat-slow")


def test_one_who_does_not_read_is_given_up(feeds: list[Feed]) -> None:
    client, server = connected(feeds)
    channel = client.session.connection.open(PAIRS[0].public)
    for second in range(1, 200):
        channel.send(Want(8192, 8192))
        server.session.receive(client.session.take(0.0), float(second))
        server.session.work(float(second), room=True)
        sent = len(server.session.take(float(second)))
        assert sent
        if second < 100:  # it takes as much as it is sent, though it is always behind
            server.session.tick(float(second), 5)
        elif second < 130:
            server.session.tick(float(second), 5 + (second - 99) * sent)
        else:
            expect(server, float(second), "dat-stalled", 5 + (second - 99) * sent)
            return
    pytest.fail("it was never given up")


def test_what_nobody_asked_for_is_a_fault(feeds: list[Feed]) -> None:
    client, server = connected(feeds)
    channel = client.session.connection.open(PAIRS[0].public)
    for message in (Have(5), Unhave(5), Have(0, 2**53 - 1, b"\xff" * 7 + b"\x7f")):
        channel.send(message)
    talk(client, server)
    channel.send(Data(1, b"one"))
    with pytest.raises(RemoteProtocolError) as caught:
        talk(client, server)
    assert caught.value.code == "dat-unasked"


def test_replies_that_were_on_their_way_are_forgiven(feeds: list[Feed]) -> None:
    client, server = Side(b"c", feeds[0]), Side(b"s", feeds[0])
    server.shared[0].download = Wanting()
    client.session.open(client.shared[0], 0.0)
    talk(client, server)
    server.session.exchanges[NAMES[0]].end_download()
    channel = client.session.connection.open(PAIRS[0].public)
    for _ in range(LIMITS.requests_max):
        channel.send(Data(1, b"one"))
    talk(client, server)
    channel.send(Data(1, b"one"))
    with pytest.raises(RemoteProtocolError) as caught:
        talk(client, server)
    assert caught.value.code == "dat-unasked"


def test_a_long_backlog_is_handled_turn_by_turn(feeds: list[Feed]) -> None:
    client, server = connected(feeds)
    channel = client.session.connection.open(PAIRS[0].public)
    for _ in range(LIMITS.turn_events * 2):
        channel.send(Have(5))
    server.session.receive(client.session.take(0.0), 0.0)
    turns = 1
    while server.session.work(0.0, room=True):
        turns += 1
    assert turns == 3


def test_a_reader_that_takes_nothing_is_read_nothing_for(feeds: list[Feed]) -> None:
    client, server = connected(feeds)
    channel = client.session.connection.open(PAIRS[0].public)
    channel.send(Request(0))
    server.session.receive(client.session.take(0.0), 0.0)
    assert not server.session.work(0.0, room=False)
    assert server.session.exchanges[NAMES[0]].uploader.waiting == 1
    assert not server.session.work(0.0, room=True)
    assert server.session.exchanges[NAMES[0]].uploader.sent_blocks == 1
