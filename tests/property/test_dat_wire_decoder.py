"""Whatever bytes come, a connection makes events or blames the other side, in bounded memory."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nodevms.dat.wire import (
    Cancel,
    Connection,
    Data,
    FeedOpened,
    Handshake,
    Have,
    Info,
    Request,
    Unhave,
    Unwant,
    Want,
    codec,
    decode_bitmap,
    encode_bitmap,
    messages,
)
from nodevms.dat.wire.cipher import XSalsa20
from nodevms.dat.wire.frames import frame
from nodevms.dat.wire.varint import encode_varint
from nodevms.errors import RemoteProtocolError
from nodevms.feed import Node, discovery_key

KEY, NONCE = b"k" * 32, b"n" * 24
FIRST = b"".join(frame(b"\x00", *codec.encode(messages.Feed(discovery_key(KEY), NONCE))))
GREETING = b"\x01\x01"

indexes = st.integers(0, 2**53 - 1)
nodes = st.builds(Node, indexes, st.binary(min_size=32, max_size=32), indexes)
signatures = st.one_of(st.just(b""), st.binary(min_size=64, max_size=64))
any_message = st.one_of(
    st.builds(Info, st.none() | st.booleans(), st.none() | st.booleans()),
    st.builds(Have, indexes, indexes, st.binary(min_size=1, max_size=20), st.booleans()),
    st.builds(Unhave, indexes, indexes),
    st.builds(Want, indexes, indexes),
    st.builds(Unwant, indexes, indexes),
    st.builds(Request, indexes, indexes, st.booleans(), st.integers(0, 2**64 - 1)),
    st.builds(Cancel, indexes, indexes, st.booleans()),
    st.builds(
        Data,
        indexes,
        st.none() | st.binary(max_size=300),
        st.lists(nodes, max_size=4).map(tuple),
        signatures,
    ),
)
bodies = st.one_of(st.binary(max_size=60), any_message.map(lambda one: b"".join(codec.encode(one))))
headers = st.one_of(
    st.builds(lambda channel, kind: channel << 4 | kind, st.integers(0, 3), st.integers(0, 15)),
    st.integers(0, 2**64 - 1),
)
frames = st.builds(
    lambda header, body: b"".join(frame(encode_varint(header), body)), headers, bodies
)
streams = st.lists(st.one_of(frames, st.binary(max_size=30), st.just(b"\x00")), max_size=12)


def receive_all(connection: Connection, chunks: list[bytes]) -> None:
    with suppress(RemoteProtocolError):
        for chunk in chunks:
            for event in connection.receive(chunk):
                if isinstance(event, FeedOpened) and event.discovery_key != discovery_key(KEY):
                    connection.refuse(event.discovery_key)
            assert connection.buffered_bytes <= 2000


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_any_bytes_at_the_beginning(chunks: list[bytes]) -> None:
    connection = Connection(Handshake(b"o" * 32))
    connection.open(KEY)
    receive_all(connection, chunks)


@given(streams, st.integers(1, 50), st.booleans())
def test_any_frames_after_the_first_feed(parts: list[bytes], size: int, greets: bool) -> None:
    connection = Connection(Handshake(b"o" * 32))
    connection.open(KEY)
    rest = (GREETING if greets else b"") + b"".join(parts)
    stream = FIRST + XSalsa20(KEY, NONCE).apply(rest)
    receive_all(connection, [stream[place : place + size] for place in range(0, len(stream), size)])


@given(any_message)
def test_every_message_comes_back(message: Any) -> None:
    body = b"".join(codec.encode(message))
    assert codec.decode(type(message), body, 0, len(body)) == message


@given(st.lists(st.sampled_from([b"\x00" * 9, b"\xff" * 5, b"\x00", b"\xff", b"ab"])))
def test_every_bitmap_comes_back(parts: list[bytes]) -> None:
    bitmap = b"".join(parts)
    assert decode_bitmap(encode_bitmap(bitmap), len(bitmap)) == bitmap


@given(st.binary(max_size=60), st.integers(0, 100))
def test_no_bitmap_is_longer_than_was_wanted(code: bytes, wanted: int) -> None:
    with suppress(RemoteProtocolError):
        assert len(decode_bitmap(code, wanted)) <= wanted
