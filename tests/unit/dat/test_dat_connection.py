"""Two connections talk to each other, without a socket."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from nodevms.dat.wire import (
    Connection,
    Data,
    Event,
    Extension,
    FeedOpened,
    Handshake,
    HandshakeReceived,
    Have,
    Info,
    KeepAlive,
    Received,
    RemoteState,
    Request,
    Want,
    codec,
    messages,
)
from nodevms.dat.wire.frames import frame
from nodevms.dat.wire.varint import encode_varint
from nodevms.errors import LocalProtocolError, RemoteProtocolError
from nodevms.feed import discovery_key

ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))
OURS = Handshake(b"o" * 32, live=True, extensions=("ours", "shared"))
THEIRS = Handshake(b"t" * 32, extensions=("shared", "theirs"))


def pair() -> tuple[Connection, Connection]:
    return Connection(OURS), Connection(THEIRS)


def opened(*keys: bytes) -> tuple[Connection, Connection]:
    """Both sides, with these feeds open on both."""
    ours, theirs = pair()
    for key in keys:
        ours.open(key)
    for event in theirs.receive(ours.take()):
        if isinstance(event, FeedOpened):
            theirs.open(next(key for key in keys if discovery_key(key) == event.discovery_key))
    assert list(ours.receive(theirs.take())) == [HandshakeReceived(THEIRS)]
    return ours, theirs


def said(events: Iterable[Event]) -> list[Any]:
    return [event.message for event in events if isinstance(event, Received)]


def raw(channel: int, kind: int, body: bytes = b"") -> bytes:
    return b"".join(frame(encode_varint(channel << 4 | kind), body))


def first(key: bytes, nonce: bytes = b"n" * 24) -> bytes:
    body = codec.encode(messages.Feed(discovery_key(key), nonce))
    return raw(0, 0, b"".join(body))


class Liar:
    """The other side, that sends any frames it likes under the right cipher."""

    def __init__(self, connection: Connection) -> None:
        from nodevms.dat.wire.cipher import XSalsa20

        connection.open(ONE)
        list(connection.receive(first(ONE)))
        self.connection = connection
        self.cipher = XSalsa20(ONE, b"n" * 24)

    def greet(self) -> None:
        list(self.send(raw(0, 1)))

    def send(self, data: bytes) -> list[Event]:
        return list(self.connection.receive(self.cipher.apply(data)))


@pytest.fixture
def liar() -> Liar:
    return Liar(Connection(OURS))


def test_messages_go_both_ways_on_several_feeds() -> None:
    ours, theirs = opened(ONE, TWO)
    assert theirs.remote_handshake == OURS
    one, two = ours.open(ONE), ours.open(TWO)
    assert one.remote_opened
    assert two.remote_opened
    one.send(Request(1))
    two.send(Data(7, b"block" * 100))
    got = list(theirs.receive(ours.take()))
    assert got == [
        Received(theirs.open(ONE), Request(1)),
        Received(theirs.open(TWO), Data(7, b"block" * 100)),
    ]
    theirs.open(TWO).send(Have(3))
    assert list(ours.receive(theirs.take())) == [Received(two, Have(3))]


def test_every_way_to_cut_the_stream_gives_the_same_events() -> None:
    ours, _ = pair()
    ours.open(ONE).send(Want(0, 8192))
    ours.open(TWO).send(Info(uploading=True))
    ours.keep_alive()
    stream = ours.take()
    for size in range(1, 60):
        theirs = Connection(THEIRS)
        seen: list[Event] = []
        for place in range(0, len(stream), size):
            for event in theirs.receive(stream[place : place + size]):
                seen.append(event)
                if isinstance(event, FeedOpened):
                    theirs.open(ONE if event.discovery_key == discovery_key(ONE) else TWO)
        assert seen == [
            FeedOpened(discovery_key(ONE)),
            HandshakeReceived(OURS),
            Received(theirs.open(ONE), Want(0, 8192)),
            FeedOpened(discovery_key(TWO)),
            Received(theirs.open(TWO), Info(uploading=True)),
            KeepAlive(),
        ]


def test_nothing_but_the_first_feed_goes_in_plain_text() -> None:
    ours, _ = pair()
    ours.open(ONE).send(Data(0, b"secret"))
    ours.open(TWO)
    stream = ours.take()
    assert discovery_key(ONE) in stream
    assert discovery_key(TWO) not in stream
    assert b"secret" not in stream
    again = Connection(OURS)
    again.open(ONE).send(Data(0, b"secret"))
    assert again.take()[:100] != stream[:100]


def test_a_feed_can_be_opened_later_and_what_came_before_is_kept() -> None:
    ours, theirs = pair()
    ours.open(ONE)
    ours.open(TWO).send(Want(0))
    ours.open(TWO).send(Have(1))
    events = []
    for event in theirs.receive(ours.take()):
        events.append(event)
        if event == FeedOpened(discovery_key(ONE)):
            theirs.open(ONE)
    assert events[-1] == FeedOpened(discovery_key(TWO))
    channel = theirs.open(TWO)
    assert said(theirs.receive(b"")) == [Want(0), Have(1)]
    assert channel.remote_opened
    assert said(theirs.receive(b"")) == []


def test_a_refused_or_closed_feed_is_heard_no_more() -> None:
    ours, theirs = pair()
    for key in (ONE, TWO, THREE):
        ours.open(key).send(Want(0))
    for event in theirs.receive(ours.take()):
        if event == FeedOpened(discovery_key(TWO)):
            theirs.refuse(discovery_key(TWO))
        elif isinstance(event, FeedOpened):
            theirs.open(ONE if event.discovery_key == discovery_key(ONE) else THREE)
    closed = theirs.open(THREE)
    closed.close()
    for key in (ONE, TWO, THREE):
        for index in range(20):
            ours.open(key).send(Have(index))
    assert said(theirs.receive(ours.take())) == [Have(index) for index in range(20)]
    theirs.open(TWO)
    ours.open(TWO).send(Have(99))
    assert said(theirs.receive(ours.take())) == [Have(99)]
    with pytest.raises(LocalProtocolError):
        closed.send(Have(0))
    assert theirs.open(THREE) is closed
    ours.open(THREE).send(Have(7))
    assert said(theirs.receive(ours.take())) == [Have(7)]


def test_the_first_feed_can_wait_for_its_key_but_only_so_long() -> None:
    ours, theirs = pair()
    ours.open(ONE).send(Have(0))
    assert list(theirs.receive(ours.take())) == [FeedOpened(discovery_key(ONE))]
    assert theirs.state is RemoteState.KEY
    with pytest.raises(LocalProtocolError):
        theirs.refuse(discovery_key(ONE))
    with pytest.raises(LocalProtocolError):
        theirs.open(TWO)
    ours.open(ONE).send(Have(1))
    assert list(theirs.receive(ours.take())) == []
    theirs.open(ONE)
    assert said(theirs.receive(b"")) == [Have(0), Have(1)]

    other = Connection(THEIRS)
    list(other.receive(first(ONE)))
    for _ in range(10):
        assert list(other.receive(bytes(100_000))) == []
    with pytest.raises(RemoteProtocolError) as caught:
        other.receive(bytes(100_000))
    assert caught.value.code == "dat-keyless"
    assert other.buffered_bytes < 1_200_000


def test_extensions_go_by_name_and_unknown_ones_are_skipped() -> None:
    ours, theirs = opened(ONE)
    ours.open(ONE).send(Extension("ours", b"x"))
    ours.open(ONE).send(Extension("shared", b"y"))
    assert said(theirs.receive(ours.take())) == [Extension("shared", b"y")]
    with pytest.raises(LocalProtocolError):
        ours.open(ONE).send(Extension("theirs", b"z"))


def test_a_connection_with_oneself_is_noticed() -> None:
    ours, same = Connection(OURS), Connection(OURS)
    ours.open(ONE)
    same.open(ONE)
    list(same.receive(ours.take()))
    assert same.is_self
    assert not opened(ONE)[0].is_self


def test_a_message_that_fits_no_frame_is_not_sent() -> None:
    ours, _ = opened(ONE)
    with pytest.raises(LocalProtocolError):
        ours.open(ONE).send(Data(0, bytes(8 * 1024 * 1024)))
    assert ours.outgoing_bytes == 0
    assert ours.take() == b""


def test_more_than_256_feeds_are_not_opened() -> None:
    ours = Connection(OURS)
    for number in range(256):
        ours.open(number.to_bytes(32, "big"))
    with pytest.raises(LocalProtocolError):
        ours.open(b"x" * 32)


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (raw(0, 1), "dat-unexpected"),
        (raw(0, 5, b"\x08\x00"), "dat-unexpected"),
        (first(ONE, b""), "dat-nonce"),
        (first(TWO), "dat-first-feed"),
        (raw(256, 0), "dat-channel"),
        (b"\x02\x80\x80", "dat-varint"),
        (b"GET / HTTP/1.1\r\n" + bytes(100), "dat-unexpected"),
    ],
)
def test_a_wrong_beginning_is_refused(stream: bytes, code: str) -> None:
    ours = Connection(OURS)
    ours.open(ONE)
    with pytest.raises(RemoteProtocolError) as caught:
        list(ours.receive(stream))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (raw(0, 1), "dat-unexpected"),
        (raw(0, 10), "dat-unexpected"),
        (raw(1, 5, b"\x08\x00"), "dat-channel"),
        (raw(300, 0), "dat-channel"),
        (raw(2**30, 9), "dat-channel"),
        (first(TWO), "dat-channel"),
        (raw(1, 0, b""), "dat-message"),
        (raw(0, 9, b"\xff"), "dat-varint"),
        (raw(0, 15), "dat-varint"),
    ],
)
def test_a_wrong_frame_in_the_middle_is_refused(liar: Liar, stream: bytes, code: str) -> None:
    liar.greet()
    assert said(liar.send(raw(0, 3, b"\x08\x05"))) == [Have(5)]
    with pytest.raises(RemoteProtocolError) as caught:
        liar.send(stream)
    assert caught.value.code == code


def test_the_handshake_has_to_come_second(liar: Liar) -> None:
    with pytest.raises(RemoteProtocolError, match="its handshake was due"):
        liar.send(raw(0, 5, b"\x08\x00"))


def test_messages_of_a_feed_that_nobody_opened_are_kept_within_bounds(liar: Liar) -> None:
    liar.greet()
    body = b"".join(codec.encode(messages.Feed(discovery_key(TWO))))
    liar.send(raw(1, 0, body))
    large = raw(1, 9, b"".join(codec.encode(Data(0, bytes(2_000_000)))))
    assert said(liar.send(large)) == []
    for index in range(100):
        liar.send(raw(1, 3, bytes([8, index])))
    liar.connection.open(TWO)
    assert said(liar.send(b"")) == [Have(index) for index in range(16)]


def test_a_feed_may_move_to_another_number(liar: Liar) -> None:
    liar.greet()
    body = b"".join(codec.encode(messages.Feed(discovery_key(ONE))))
    liar.send(raw(7, 0, body))
    assert said(liar.send(raw(7, 3, b"\x08\x05"))) == [Have(5)]
