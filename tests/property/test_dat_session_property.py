"""Whatever messages a peer sends, our side answers in bounds or blames the peer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from without_sync import WithoutSync

from nodevms.dat import Limits, PublishedFeed
from nodevms.dat.feeds import Shared, SharedFeeds
from nodevms.dat.session import Session
from nodevms.dat.wire import (
    FRAME_BYTES_MAX,
    Cancel,
    Connection,
    Data,
    Handshake,
    Have,
    Info,
    Received,
    Request,
    Unhave,
    Unwant,
    Want,
)
from nodevms.errors import RemoteProtocolError
from nodevms.feed import Feed, KeyPair

PAIR = KeyPair.from_seed(b"\x6d" * 32)
LIMITS = Limits(bitmap_blocks=64)

indexes = st.integers(0, 120) | st.integers(0, 2**53 - 1)
asked = st.one_of(
    st.builds(Want, indexes, indexes),
    st.builds(Unwant, indexes, indexes),
    st.builds(Request, indexes, indexes, st.booleans(), st.integers(0, 2**64 - 1)),
    st.builds(Request, st.integers(0, 120)),
    st.builds(Cancel, indexes, indexes, st.booleans()),
    st.builds(Info, st.none() | st.booleans(), st.none() | st.booleans()),
    st.builds(Have, indexes, indexes, st.binary(max_size=9)),
    st.builds(Unhave, indexes, indexes),
)


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Feed]:
    with Feed.create(tmp_path_factory.mktemp("feed"), "", PAIR, files=WithoutSync()) as feed:
        feed.append([b"%d" % index for index in range(100)])
        feed.sync()
        yield feed


@given(st.lists(asked, max_size=20), st.booleans())
def test_any_messages_get_answers_or_blame(feed: Feed, said: list[Any], live: bool) -> None:
    feeds = SharedFeeds()
    feeds.add(Shared(PublishedFeed(feed)))
    session = Session(
        feeds, Handshake(b"o" * 32, live=live), incoming=True, limits=LIMITS, now=0.0, random=bytes
    )
    peer = Connection(Handshake(b"p" * 32, live=live))
    channel = peer.open(PAIR.public)
    for message in said:
        channel.send(message)
    answers: list[Any] = []
    with suppress(RemoteProtocolError):
        session.receive(peer.take(), 0.0)
        while session.work(0.0, room=True):
            pass
        session.grew(channel.discovery_key)
        session.work(1.0, room=True)
        session.tick(1.0, 0)
        data = session.take(1.0)
        assert len(data) < FRAME_BYTES_MAX
        answers = [one.message for one in peer.receive(data) if isinstance(one, Received)]
    wanted = {message.index for message in said if isinstance(message, Request)}
    for answer in answers:
        if isinstance(answer, Data) and answer.value is not None:
            assert answer.value == b"%d" % answer.index
            assert answer.index in wanted or any(
                isinstance(message, Request) and message.bytes for message in said
            )
