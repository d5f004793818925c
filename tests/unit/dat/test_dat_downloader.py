"""A download from peers that are honest, slow, lying or forked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peers_in_memory import PAIR, World, feed_of, grow, nothing

from nodevms.dat.downloader import DownloadLimits
from nodevms.dat.wire import (
    Cancel,
    Data,
    Have,
    Message,
    Request,
    Unhave,
    Want,
    encode_bitmap,
)
from nodevms.errors import RemoteProtocolError
from nodevms.feed import Feed, FeedFalseError, ForkError, Node, PartialFeed

BLOCKS = [b"" if index % 9 == 4 else b"%d," % index * (index % 6) for index in range(3000)]


def check_equal(partial: PartialFeed, feed: Feed) -> None:
    assert partial.newest_head() == feed.head()
    assert list(partial.missing(0, feed.length)) == []
    assert [partial.get(index) for index in range(feed.length)] == list(
        feed.get_many(0, feed.length)
    )


def check_nothing_wrong(partial: PartialFeed, feed: Feed) -> None:
    """Every block and node that is there is the feed's."""
    for index in range(partial.length):
        if partial.has(index):
            assert partial.get(index) == feed.get(index)
    for index in range(2 * partial.length):
        if partial.holds(index):
            assert partial.node(index) == feed.node(index)


@pytest.mark.parametrize("length", [1, 2, 3, 100, 3000])
def test_a_feed_comes_whole(length: int) -> None:
    feed = feed_of(BLOCKS[:length])
    world = World()
    assert not world.downloader.done
    line = world.connect(feed)
    world.run()
    check_equal(world.partial, feed)
    assert world.downloader.done
    assert line.error is None
    assert (world.downloader.progress.blocks, world.downloader.progress.bytes) == (
        length,
        feed.byte_length,
    )
    requests = [message for message in line.sent if isinstance(message, Request)]
    assert len({request.index for request in requests}) == len(requests) == length
    world.partial.flush()


def test_an_empty_feed_is_done_when_a_peer_says_so() -> None:
    world = World()
    world.connect(feed_of([]))
    assert not world.downloader.heard
    world.run()
    assert world.downloader.done


def test_several_peers_share_the_work() -> None:
    feed = feed_of(BLOCKS)
    world = World()
    lines = [world.connect(feed) for _ in range(3)]
    world.run()
    check_equal(world.partial, feed)
    sent = [line.uploader.sent_blocks for line in lines]
    assert min(sent) > 500
    assert sum(sent) <= len(BLOCKS) + 6  # and each head was compared


def test_a_download_goes_on_where_it_was() -> None:
    feed = feed_of(BLOCKS)
    partial = nothing()
    world = World(partial)
    line = world.connect(feed)
    for _ in range(1500):
        line.carry()
    line.leave()
    begun = world.downloader.progress.blocks
    assert 100 < begun < len(BLOCKS)
    again = World(partial)
    again.connect(feed)
    again.run()
    check_equal(partial, feed)
    assert again.downloader.progress.blocks == len(BLOCKS) - begun


def test_only_what_is_wanted_comes_in_the_order_of_wanting() -> None:
    feed = feed_of(BLOCKS)
    came: list[int] = []
    heads: list[int] = []
    world = World(
        ranges=[(100, 110)],
        on_block=came.append,
        on_head=lambda: heads.append(world.partial.length),
    )
    world.connect(feed)
    world.run()
    assert (came, heads) == (list(range(100, 110)), [3000])
    assert world.downloader.done
    world.downloader.want(2990)
    world.downloader.want(0, 5)
    assert not world.downloader.done
    world.run()
    assert came[10:] == [*range(2990, 3000), *range(5)]
    assert world.downloader.done
    assert world.partial.length == 3000


def test_what_is_wanted_no_longer_is_cancelled() -> None:
    feed = feed_of(BLOCKS)
    world = World()
    line = world.connect(feed)
    while not world.downloader.asked or world.partial.length == 0:
        line.carry()
    asked = set(world.downloader.asked)
    world.downloader.unwant(3)
    assert set(world.downloader.asked) == asked & {0, 1, 2}
    cancelled = {message.index for message in line.sent if isinstance(message, Cancel)}
    assert cancelled == asked - {0, 1, 2}
    world.run()
    assert line.error is None
    assert world.downloader.done
    have = {index for index in range(3000) if world.partial.has(index)}
    assert {0, 1, 2} <= have
    assert len(have) < 60


def test_a_live_download_follows() -> None:
    feed = feed_of(BLOCKS[:10])
    world = World(live=True)
    lines = [world.connect(feed), world.connect(feed)]
    world.run()
    for length in (11, 40, 41, 2000, 3000):
        grow(feed, BLOCKS[feed.length : length])
        for line in lines:
            line.uploader.grew()
            line.uploader.pump(lambda: True)
        world.run()
        check_equal(world.partial, feed)
        assert world.downloader.heard
        assert not world.downloader.done
    assert [line.error for line in lines] == [None, None]


def test_peers_with_holes_complete_each_other() -> None:
    feed = feed_of(BLOCKS[:500])
    halves = []
    for rest in (0, 1):
        half = World(ranges=[(at, at + 1) for at in range(rest, 500, 2)])
        half.connect(feed)
        half.run()
        half.partial.flush()
        assert [half.partial.has(at) for at in range(4)] == [rest == 0, rest == 1] * 2
        halves.append(half.partial)
    world = World()
    for half_feed in halves:
        world.connect(half_feed)
    world.run()
    check_equal(world.partial, feed)


def test_a_peer_with_less_serves_what_it_has() -> None:
    feed = feed_of(BLOCKS[:64])
    world = World(live=True)
    line = world.connect(feed_of(BLOCKS[:64]))
    world.run()
    line.leave()
    grow(feed, BLOCKS[64:100])
    world.connect(feed)
    world.run()
    check_equal(world.partial, feed)
    # The other way round: we have a longer head from one, and an older peer has blocks for it.
    world = World(ranges=[(99, 100)])
    world.connect(feed)
    world.run()
    assert world.partial.length == 100
    older = world.connect(feed_of(BLOCKS[:80]))
    world.downloader.want(0, 80)
    world.run()
    assert older.error is None
    check_nothing_wrong(world.partial, feed)
    assert world.partial.has(50)


def test_who_does_not_answer_is_passed_over() -> None:
    feed = feed_of(BLOCKS[:300])
    world = World()
    silent = world.connect(feed)
    while not silent.download._flight:
        silent.carry()
    for _ in range(40):
        silent.carry()
    silent.answered = False
    world.connect(feed)
    world.run(seconds=25)
    check_equal(world.partial, feed)
    world = World()
    silent = world.connect(feed)
    while not silent.download._flight:
        silent.carry()
    silent.answered = False
    world.run(seconds=45)
    assert isinstance(silent.error, RemoteProtocolError)
    assert silent.error.code == "dat-unanswered"


def test_many_who_claim_all_and_answer_nothing_hold_nobody_up() -> None:
    feed = feed_of(BLOCKS[:300])
    world = World()

    def mute(message: Message, _: Random) -> list[Message]:
        return [] if isinstance(message, Data) else [message]

    first = [world.connect(feed, mute) for _ in range(3)]
    while not all(line.download.remote.length for line in first):
        for line in first:
            line.carry()
    honest = world.connect(feed)
    mutes = [*first, *(world.connect(feed, mute) for _ in range(3))]
    while not world.downloader.done:
        for line in mutes:  # none of them is ever quiet
            line.to_us += [Unhave(10**6), Have(0, 300)]
        world.run(seconds=0.9)
        assert world.now < 25
    assert honest.error is None
    check_equal(world.partial, feed)


def test_nothing_is_asked_for_while_too_much_is_not_flushed() -> None:
    feed = feed_of([b"x" * 1000] * 400)
    world = World(limits=DownloadLimits(unflushed_bytes_max=100_000, requests_max=8))
    line = world.connect(feed)
    world.run(seconds=3)
    assert world.partial.unflushed_bytes < 130_000
    assert not world.downloader.done
    while not world.downloader.done:
        before = world.downloader.progress.blocks
        world.partial.flush()
        world.run(seconds=2)
        assert world.downloader.progress.blocks > before
    assert line.error is None
    check_equal(world.partial, feed)


def test_claims_cost_nothing_and_are_not_believed() -> None:
    feed = feed_of(BLOCKS[:50])
    petabyte = (2**50 << 2 | 3).to_bytes(8, "little")
    code = bytearray()
    number = int.from_bytes(petabyte, "little")
    while number > 127:
        code.append(number & 127 | 128)
        number >>= 7
    code.append(number)
    world = World()
    line = world.connect(feed)
    for claim in (
        Have(0, 2**53 - 1),
        Have(2**53 - 2),
        Have(0, 2**53 - 1, bytes(code)),
        Have(8192 * 10**9, 8192, encode_bitmap(b"\xff" * 1024)),
        Unhave(2**40, 2**50),
    ):
        line.download.receive(claim)
    assert len(line.download.remote._pages) <= 128
    world.run(seconds=60)
    assert world.partial.length in (0, 50)
    honest = World(world.partial)
    honest.connect(feed)
    honest.run()
    check_equal(world.partial, feed)


def test_endless_talk_costs_little_and_hides_nothing() -> None:
    feed = feed_of(BLOCKS[:2000])
    world = World()
    talker = world.connect(feed)
    while not talker.download._flight:
        talker.carry()
    for at in range(2000):
        talker.download.receive(Have(at % 7))
        talker.download.receive(Unhave(2**40 + at))
    world.run(seconds=3)
    check_equal(world.partial, feed)


@pytest.mark.parametrize(
    "have",
    [Have(0, 2**52), Have(0, 2**20, encode_bitmap(b"\xff" * 131_072)), Unhave(0, 2**52)],
)
def test_claims_about_very_many_blocks_without_end_are_a_fault(
    have: Have | Unhave,
) -> None:
    world = World()
    line = world.connect(feed_of(BLOCKS[:9]))
    world.run()
    for _ in range(60):  # as often as one that grows all the time
        world.now += 1
        for _ in range(50):
            line.download.receive(have)

    def flood() -> None:
        for _ in range(2000):
            line.download.receive(have)

    with pytest.raises(RemoteProtocolError) as caught:
        flood()
    assert caught.value.code == "dat-haves"


def test_answers_that_nobody_asked_for_end_the_connection() -> None:
    feed = feed_of(BLOCKS[:50])
    world = World(ranges=[(0, 1)])
    line = world.connect(feed)
    world.run()
    proof = feed.proof(7)
    for unasked in (Data(7, feed.get(7), proof.nodes, proof.signature), Data(7), Data(0, b"")):
        with pytest.raises(RemoteProtocolError) as caught:
            line.download.receive(unasked)
        assert caught.value.code == "dat-unasked"
    assert not world.partial.has(7)


def parted(changed: int, length: int) -> Feed:
    """A feed of the same key whose block ``changed`` is another."""
    return feed_of([*BLOCKS[:changed], b"another", *BLOCKS[changed + 1 : length]])


@pytest.mark.parametrize("theirs", [20, 64, 100, 101, 128, 500])
@pytest.mark.parametrize("changed", [0, 13, 19])
@pytest.mark.parametrize("complete", [True, False])
def test_a_forked_feed_is_caught_whatever_its_length(
    theirs: int, changed: int, complete: bool
) -> None:
    feed = feed_of(BLOCKS[:100])
    world = World(ranges=None if complete else [(0, 25)], live=True)
    world.connect(feed)
    world.run()
    head, blocks = world.partial.newest_head(), world.downloader.progress.blocks
    forked = world.connect(parted(changed, theirs))
    world.run()
    assert isinstance(forked.error, ForkError)
    assert forked.error.evidence is not None
    forked.error.evidence.check()
    assert {forked.error.old, forked.error.new} == {feed.head(), parted(changed, theirs).head()}
    assert world.partial.newest_head() == head
    assert world.downloader.progress.blocks == blocks
    check_nothing_wrong(world.partial, feed)


def test_a_fork_that_only_shows_in_a_block_is_proved_by_its_full_proof() -> None:
    """The forked peer hides its length, and sends blocks with as few nodes as we asked for."""
    feed = feed_of(BLOCKS[:100])
    world = World(ranges=[(90, 91)])
    world.connect(feed)
    world.run()
    fork = parted(50, 100)

    def hides(message: Message, _: Random) -> Iterable[Message]:
        if isinstance(message, Have):
            return [Have(50, 1)]
        return [message]

    forked = world.connect(fork, hides)
    forked.download._probed = True
    for line in tuple(world.lines):
        if line is not forked:
            line.leave()
    world.downloader.want(50, 51)
    world.run()
    assert isinstance(forked.error, ForkError)
    assert not world.partial.has(50)


def liar(kind: str) -> object:
    def change(message: Message, random: Random) -> Iterable[Message]:
        if not isinstance(message, Data) or random.random() < 0.7:
            return [message]
        nodes, value = message.nodes, message.value
        if kind == "value":
            return [replace(message, value=(value or b"") + b"!")]
        if kind == "nodes" and nodes:
            node = random.choice(nodes)
            other = Node(node.index, bytes(32), node.size)
            return [replace(message, nodes=tuple(other if one is node else one for one in nodes))]
        if kind == "sizes" and nodes:
            other = replace(nodes[0], size=nodes[0].size + 1)
            return [replace(message, nodes=(other, *nodes[1:]))]
        if kind == "signature":
            return [replace(message, signature=b"\x01" * 64)]
        if kind == "index":
            return [replace(message, index=message.index + 1)]
        if kind == "twice":
            return [message, message]
        if kind == "lost":
            return []
        if kind == "unhave":
            return [Unhave(message.index)]
        if kind == "claims":
            return [Have(random.randrange(2**40), random.randrange(1, 2**40)), message]
        return [message]

    return change


KINDS = ["value", "nodes", "sizes", "signature", "index", "twice", "lost", "unhave", "claims"]


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3),
    length=st.integers(1, 200),
    held=st.sets(st.integers(0, 30), max_size=8),
)
def test_whatever_a_peer_does_nothing_wrong_is_stored_and_an_honest_one_completes_it(
    seed: int, kinds: list[str], length: int, held: set[int]
) -> None:
    feed = feed_of(BLOCKS[:length])
    partial = nothing()
    before = World(partial, seed, ranges=[(at, at + 1) for at in held])
    before.connect(feed_of(BLOCKS[: max(1, length // 2)]))
    before.run()
    world = World(partial, seed)
    lines = [world.connect(feed, liar(kind)) for kind in kinds]  # type: ignore[arg-type]
    world.run(seconds=45)
    check_nothing_wrong(partial, feed)
    for line in lines:
        assert line.error is None or isinstance(line.error, RemoteProtocolError | FeedFalseError)
        assert not isinstance(line.error, ForkError)
    world.connect(feed)
    world.run(seconds=45)
    check_equal(partial, feed)
    assert world.downloader.done


def test_wants_are_windows_where_the_feed_is() -> None:
    feed = feed_of(BLOCKS[:20])
    world = World()
    line = world.connect(feed)
    world.run()
    wants = [message for message in line.sent if isinstance(message, Want)]
    assert wants == [Want(0, 1 << 20)]
    assert PAIR.public == world.partial.key
