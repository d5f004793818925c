"""What a peer hears when it asks, and what it may not ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nodevms.dat import Limits, PublishedFeed, Uploader
from nodevms.dat.wire import (
    Cancel,
    Data,
    Have,
    Request,
    Unhave,
    Unwant,
    Want,
    codec,
    decode_bitmap,
)
from nodevms.errors import LocalProtocolError, RemoteProtocolError
from nodevms.feed import Feed, Head, KeyPair, PartialFeed, Proof, verify_proof

PAIR = KeyPair.from_seed(b"\x2d" * 32)
BLOCKS = [b"block %d" % index * (index % 5) for index in range(100)]
LIMITS = Limits()


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    with Feed.create(tmp_path, "", PAIR) as feed:
        feed.append(BLOCKS)
        feed.sync()
        yield feed


class Holes:
    """A feed with holes, as one that is being downloaded."""

    def __init__(self, feed: PublishedFeed, here: set[int]) -> None:
        self._feed = feed
        self.here = here
        self.key = feed.key

    def head(self) -> Head:
        return self._feed.head()

    def has(self, index: int) -> bool:
        return index in self.here and self._feed.has(index)

    def have_bitmap(self, start: int, end: int) -> bytes:
        bits = "".join("01"[self.has(index)] for index in range(start, end))
        bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
        return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))

    def get(self, index: int) -> bytes:
        return self._feed.get(index)

    def proof(self, index: int, digest: int = 0) -> Proof:
        return self._feed.proof(index, digest)

    def seek(self, offset: int) -> int | None:
        return None

    def on_growth(self, callback: Any) -> Any:
        raise NotImplementedError


class Conversation:
    """An uploader and all that it says."""

    def __init__(self, feed: Any, limits: Limits = LIMITS) -> None:
        self.said: list[Any] = []
        self.now = 0.0
        self.uploader = Uploader(feed, self.said.append, limits=limits, now=0.0)

    def ask(self, *messages: Any) -> list[Any]:
        """Return the answers."""
        for message in messages:
            self.uploader.receive(message, self.now)
        return self.pump()

    def pump(self, room: int = 10_000) -> list[Any]:
        """Return what is said when there is room for so many messages."""
        self.said.clear()
        self.uploader.pump(lambda: len(self.said) < room)
        return list(self.said)


def bits(have: Have) -> str:
    bitmap = decode_bitmap(have.bitfield, 1 << 20)
    return "".join(f"{byte:08b}" for byte in bitmap)


def test_a_want_hears_the_length_first_and_then_the_bitmap(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    first, second = talk.ask(Want(0, 1 << 20))
    assert first == Have(99)
    assert (second.start, second.length) == (0, 1 << 20)
    assert bits(second) == "1" * 100 + "0" * 28
    (again,) = talk.ask(Want(8192, 8192))
    assert (again.start, again.length, bits(again)) == (8192, 8192, "")
    assert again.bitfield
    (rest,) = talk.ask(Want(64))
    assert bits(rest) == "1" * 36 + "0" * 28


@pytest.mark.parametrize("start", [1, 7, 8, 13, 99])
def test_a_want_may_begin_anywhere(feed: Feed, tmp_path: Path, start: int) -> None:
    here = {3, 12, 14, 50, 99}
    with PartialFeed.create(tmp_path / "holes", "", PAIR.public) as partial:
        for index in here:
            proof = feed.proof(index, partial.digest(index))
            partial.put(index, feed.get(index), proof.nodes, proof.signature)
        partial.flush()
        _, have = Conversation(partial).ask(Want(start, 60))
    told = {have.start + at for at, bit in enumerate(bits(have)) if bit == "1"}
    assert {index for index in here if start <= index < start + 60} <= told <= here


def test_a_want_far_beyond_the_end_costs_nothing(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    said = talk.ask(Want(2**53 - 1), Want(2**53 - 1, 2**53 - 1), Want(0, 2**53 - 1))
    assert [bits(have) for have in said if have.bitfield] == ["", "", "1" * 100 + "0" * 28]
    for have in said:
        codec.encode(have)


def test_a_long_want_is_answered_in_pieces(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed), replace(LIMITS, bitmap_blocks=32))
    pieces = talk.ask(Want(0))[1:]
    assert [(have.start, have.length) for have in pieces] == [(0, 32), (32, 32), (64, 32), (96, 4)]
    assert "".join(bits(have) for have in pieces) == "1" * 100 + "0" * 28


def test_each_block_comes_with_a_proof_that_holds(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    said = talk.ask(*(Request(index) for index in range(100)))
    for index, data in enumerate(said):
        assert (data.index, data.value) == (index, BLOCKS[index])
        proof = Proof(data.nodes, data.signature)
        assert verify_proof(PAIR.public, index, data.value, proof) == feed.head()
    assert talk.uploader.sent_blocks == 100
    assert talk.uploader.sent_bytes == sum(map(len, BLOCKS))


def test_a_hash_comes_as_the_leaf_without_the_block(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    (data,) = talk.ask(Request(7, hash=True))
    assert data.value is None
    assert data.nodes == (feed.node(14), *feed.proof(7).nodes)
    (short,) = talk.ask(Request(7, hash=True, nodes=1))
    assert short == Data(7, None, (feed.node(14),))


def test_a_byte_finds_its_block(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    offset = 0
    for index, block in enumerate(BLOCKS):
        if block:
            for byte in {offset, offset + len(block) - 1} - {0}:
                (data,) = talk.ask(Request(0, byte, nodes=1))
                assert (data.index, data.value) == (index, block)
                assert data.signature
        offset += len(block)
    (beyond,) = talk.ask(Request(3, offset, nodes=0))
    assert beyond.index == 3


def test_what_is_not_synced_is_not_here(feed: Feed) -> None:
    feed.append([b"more"])
    talk = Conversation(PublishedFeed(feed))
    assert talk.ask(Request(100)) == [Unhave(100)]
    assert talk.ask(Want(0))[0] == Have(99)
    feed.sync()
    talk.uploader.grew()
    assert talk.pump() == [Have(100, 1)]
    assert talk.ask(Request(100))[0].value == b"more"


def test_one_who_wants_nothing_hears_nothing_of_growth(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))

    def grow() -> list[Any]:
        feed.append([b"a", b"b"])
        feed.sync()
        talk.uploader.grew()
        return talk.pump()

    assert grow() == []
    talk.ask(Want(0, 8192))
    assert grow() == [Have(102, 2)]
    assert talk.pump() == []
    talk.ask(Unwant(8192, 8192))
    assert grow() == [Have(104, 2)]
    talk.ask(Unwant(0))
    assert grow() == []


def test_blocks_that_fill_holes_are_told_too(feed: Feed) -> None:
    holes = Holes(PublishedFeed(feed), {3, 99})
    talk = Conversation(holes)
    first, second = talk.ask(Want(0, 1 << 20))
    assert first == Have(99)
    assert bits(second).index("1") == 3
    assert bits(second).count("1") == 2
    talk.uploader.grew()
    assert talk.pump() == []
    holes.here |= {50, 51}
    talk.uploader.grew()
    (have,) = talk.pump()
    told = bits(have)
    assert {have.start + at for at, bit in enumerate(told) if bit == "1"} == {3, 50, 51, 99}
    assert talk.ask(Request(4)) == [Unhave(4)]


def test_only_as_much_is_read_as_there_is_room_for(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    for index in range(10):
        talk.uploader.receive(Request(index), 0.0)
    assert [data.index for data in talk.pump(room=3)] == [0, 1, 2]
    assert talk.pump(room=0) == []
    assert talk.uploader.waiting == 7
    talk.uploader.receive(Cancel(4), 0.0)
    talk.uploader.receive(Cancel(400), 0.0)
    talk.uploader.receive(Request(5), 0.0)
    assert [data.index for data in talk.pump()] == [3, 5, 6, 7, 8, 9]
    assert talk.uploader.waiting == 0


def test_more_requests_than_the_queue_holds_are_a_fault(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    for index in range(LIMITS.requests_max):
        talk.uploader.receive(Request(index), 0.0)
    talk.uploader.receive(Request(0), 0.0)
    with pytest.raises(RemoteProtocolError) as caught:
        talk.uploader.receive(Request(LIMITS.requests_max), 0.0)
    assert caught.value.code == "dat-requests"


def test_wants_without_end_are_a_fault(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    for _ in range(LIMITS.wants_burst):
        talk.ask(Want(0))
    talk.now = 10 / LIMITS.wants_per_second
    for _ in range(10):
        talk.ask(Want(0))
    with pytest.raises(RemoteProtocolError) as caught:
        talk.ask(Want(0))
    assert caught.value.code == "dat-wants"


def test_asking_for_what_is_not_here_without_end_is_a_fault(feed: Feed) -> None:
    talk = Conversation(PublishedFeed(feed))
    for index in range(LIMITS.nonsense_burst):
        assert talk.ask(Request(2**53 - 1 - index)) == [Unhave(2**53 - 1 - index)]
    with pytest.raises(RemoteProtocolError) as caught:
        talk.ask(Request(100))
    assert caught.value.code == "dat-nonsense"


def test_a_block_that_no_frame_can_carry_is_refused(feed: Feed) -> None:
    def send(message: Any) -> None:
        if isinstance(message, Data):
            raise LocalProtocolError("too long", code="dat-frame")
        said.append(message)

    said: list[Any] = []
    uploader = Uploader(PublishedFeed(feed), send, limits=LIMITS, now=0.0)
    uploader.receive(Request(1), 0.0)
    uploader.pump(lambda: True)
    assert said == [Unhave(1)]


def test_a_published_feed_refuses_what_is_not_synced(feed: Feed) -> None:
    published = PublishedFeed(feed)
    feed.append([b"more"])
    assert published.head().length == 100
    assert not published.has(100)
    assert not published.has(-1)
    for refused in (published.get, published.proof):
        with pytest.raises(LocalProtocolError):
            refused(100)
    called: list[int] = []
    forget = published.on_growth(lambda: called.append(1))
    feed.sync()
    feed.sync()
    assert called == [1]
    assert published.has(100)
    forget()
    feed.append([b"more"])
    feed.sync()
    assert called == [1]
