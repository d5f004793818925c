"""A feed with holes: what it takes, what it refuses, and what of it survives a crash."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from power import Disk, PowerLostError

from nodevms.errors import StorageError
from nodevms.feed import (
    Feed,
    FeedFalseError,
    FeedUnprovedError,
    ForkError,
    ForkEvidence,
    Head,
    KeyPair,
    NoBlockError,
    Node,
    PartialFeed,
    audit_feed,
    flat_tree,
)
from nodevms.feed.files import OSFile
from nodevms.feed.merkle import leaf_hash, parent_node

PAIR = KeyPair.from_seed(b"\x0e" * 32)
HERE = Path("/feed")


def blocks_of(count: int, salt: bytes = b"") -> list[bytes]:
    return [
        b"" if index % 7 == 3 else b"%d " % index * (index % 5 + 1) + salt for index in range(count)
    ]


def source(blocks: list[bytes], batches: list[int] | None = None) -> Feed:
    """A feed in memory that signs at the given lengths."""
    feed = Feed.create(HERE, "", PAIR, files=Disk())
    start = 0
    for end in [*(batches or []), len(blocks)]:
        if end > start:
            feed.append(blocks[start:end])
            feed.sync()
        start = max(start, end)
    return feed


def empty() -> PartialFeed:
    return PartialFeed.create(HERE, "", PAIR.public, files=Disk())


def fetch(
    partial: PartialFeed, feed: Feed, index: int, *, full: bool = False, value: bool = True
) -> None:
    """Ask as a downloader asks, and put the answer."""
    proof = feed.proof(index, 0 if full else partial.digest(index))
    nodes = proof.nodes if value else (feed.node(2 * index), *proof.nodes)
    partial.put(index, feed.get(index) if value else None, nodes, proof.signature)


def state(partial: PartialFeed, blocks: int) -> object:
    bits = [partial.has(index) for index in range(blocks)]
    nodes = [partial.node(index) if partial.holds(index) else None for index in range(2 * blocks)]
    return partial.newest_head(), bits, nodes


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_gives_the_blocks_and_the_nodes_to_prove_them(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 70))
    feed = source(blocks_of(length))
    partial = empty()
    order = data.draw(st.permutations(range(length)))
    for count, index in enumerate(order[: data.draw(st.integers(1, length))], 1):
        fetch(partial, feed, index, full=data.draw(st.booleans()))
        assert partial.newest_head() == feed.head()
        taken = order[:count]
        runs = [at for first, end in partial.missing(0, length) for at in range(first, end)]
        assert runs == [at for at in range(length) if at not in taken]
        assert [partial.get(at) for at in taken] == [feed.get(at) for at in taken]
        for at in taken:
            assert partial.proof(at) == feed.proof(at)
    bitmap = partial.have_bitmap(0, 1000)
    bits = [bool(bitmap[at >> 3] & 128 >> (at & 7)) for at in range(length)]
    assert bits == [partial.has(at) for at in range(length)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_feed_grows_only_by_proofs_that_it_extends(data: st.DataObject) -> None:
    blocks = blocks_of(60)
    lengths = sorted(data.draw(st.sets(st.integers(1, 60), min_size=2, max_size=5)))
    partial = empty()
    for length in lengths:
        feed = source(blocks[:length])
        before = partial.newest_head()
        for index in data.draw(st.permutations(range(before.length, length))):
            if index != before.length and before.length:
                continue
            fetch(
                partial, feed, index, full=data.draw(st.booleans()), value=data.draw(st.booleans())
            )
            break
        assert partial.newest_head() == feed.head()
        for index in data.draw(st.sets(st.integers(0, length - 1))):
            fetch(partial, feed, index)
            assert partial.get(index) == blocks[index]


def test_a_longer_head_without_our_roots_is_not_taken() -> None:
    blocks = blocks_of(41)
    partial = empty()
    fetch(partial, source(blocks[:5]), 2)
    before = state(partial, 60)
    longer = source(blocks)
    for index in (8, 33, 40):
        with pytest.raises(FeedUnprovedError) as caught:
            fetch(partial, longer, index, full=True)
        assert (caught.value.code, caught.value.length) == ("feed-unproved-extension", 41)
        assert state(partial, 60) == before
    fetch(partial, longer, 5, full=True, value=False)
    assert partial.length == 41
    assert not partial.has(5)
    fetch(partial, longer, 33)
    assert partial.get(33) == blocks[33]


def test_a_shorter_head_that_cannot_be_compared_is_nobodys_fault() -> None:
    blocks = blocks_of(16)
    partial = empty()
    fetch(partial, source(blocks), 15)
    shorter = source(blocks[:3])
    with pytest.raises(FeedUnprovedError) as caught:
        fetch(partial, shorter, 0, full=True)
    assert (caught.value.code, caught.value.length) == ("feed-unproved", 3)
    fetch(partial, source(blocks), 2)
    fetch(partial, shorter, 0, full=True)
    assert partial.get(0) == blocks[0]


def rewritten(blocks: list[bytes], changed: int, length: int) -> Feed:
    return source([*blocks_of(changed), *blocks_of(length, b"!")[changed:]])


@pytest.mark.parametrize("ours", [1, 2, 5, 8, 13])
@pytest.mark.parametrize("theirs", [1, 3, 5, 8, 13, 21])
@pytest.mark.parametrize("value", [True, False])
def test_a_rewritten_history_is_a_fork_with_evidence(ours: int, theirs: int, value: bool) -> None:
    for changed in range(min(ours, theirs)):
        partial = empty()
        feed = source(blocks_of(ours))
        for index in range(ours):
            fetch(partial, feed, index)
        fork = rewritten(blocks_of(ours), changed, theirs)
        before = state(partial, 30)
        # A peer with more is asked for what comes after ours, any other for its last block.
        index = ours if theirs > ours else theirs - 1
        if changed % 7 == 3 and fork.get(changed) == feed.get(changed):
            continue  # an empty block has no other form
        with pytest.raises(ForkError) as caught:
            fetch(partial, fork, index, full=True, value=value)
        assert state(partial, 30) == before
        assert (caught.value.old, caught.value.new) == (feed.head(), fork.head())
        evidence = caught.value.evidence
        assert evidence is not None
        evidence.check()
        assert ForkEvidence.from_json(evidence.to_json()) == evidence
        assert {evidence.shorter, evidence.longer} == {feed.head(), fork.head()}


def test_a_sparse_feed_sees_a_fork_where_it_holds_the_place() -> None:
    partial, feed = empty(), source(blocks_of(200))
    fetch(partial, feed, 151)
    fork = rewritten(blocks_of(200), 120, 200)
    for index in (151, 140):
        with pytest.raises(FeedFalseError) as caught:
            fetch(partial, fork, index)
        assert caught.value.code == "feed-path"
        with pytest.raises(ForkError) as fork_caught:
            fetch(partial, fork, index, full=True)
        assert fork_caught.value.evidence is not None
        fork_caught.value.evidence.check()


def hostile(feed: Feed, index: int) -> list[tuple[bytes | None, tuple[Node, ...], bytes]]:
    proof, block = feed.proof(index), feed.get(index)
    nodes, signature = proof.nodes, proof.signature
    leaf = feed.node(2 * index)
    first = nodes[0]
    return [
        (block + b"x", nodes, signature),
        (b"", nodes, signature),
        (block, nodes[1:], signature),
        (block, nodes[:-1], signature),
        (block, nodes[::-1], signature),
        (block, nodes * 100, signature),
        (block, (replace(first, hash=bytes(32)), *nodes[1:]), signature),
        (block, (replace(first, hash=b""), *nodes[1:]), signature),
        (block, (replace(first, size=first.size + 1), *nodes[1:]), signature),
        (block, (replace(first, size=2**64 - 1), *nodes[1:]), signature),
        (block, (replace(first, size=-1), *nodes[1:]), signature),
        (block, (replace(first, index=2**70), *nodes[1:]), signature),
        (block, (*nodes, Node(2**50, bytes(32), 1)), signature),
        (block, nodes, signature[:-1] + bytes([signature[-1] ^ 1])),
        (block, nodes, b""),
        (b"any block beside the right roots", feed.head().roots, signature),
        (None, nodes, signature),
        (None, (replace(leaf, hash=bytes(32)), *nodes), signature),
        (None, (), signature),
    ]


def test_what_does_not_belong_to_the_feed_is_false_and_leaves_no_trace() -> None:
    blocks = blocks_of(21)
    for known in (0, 5, 21):
        index = 5 if known == 5 else 8
        feed = source(blocks)
        for value, nodes, signature in hostile(feed, index):
            partial = empty()
            if known:
                fetch(partial, source(blocks[:known]), known - 1)
            before = state(partial, 60)
            try:
                partial.put(index, value, nodes, signature)
            except FeedFalseError:
                assert state(partial, 60) == before
            else:  # what was left out or broken was not needed: we held what it leads to
                assert known
                for at in range(42):
                    assert not partial.holds(at) or partial.node(at) == feed.node(at)
    with pytest.raises(FeedFalseError):
        empty().put(-1, b"", (), b"")


def test_sizes_that_a_proof_without_the_block_leaves_open_are_not_believed() -> None:
    """A parent's hash covers the sum of two sizes: a peer can move bytes between leaves."""
    feed = source(blocks_of(21))
    proof, leaf = feed.proof(8), feed.node(16)
    moved = (
        replace(leaf, size=leaf.size + 1),
        replace(proof.nodes[0], size=proof.nodes[0].size - 1),
        *proof.nodes[1:],
    )
    partial = empty()
    partial.put(8, None, moved, proof.signature)
    assert partial.newest_head() == feed.head()
    for index in range(21):
        fetch(partial, feed, index)
    assert [partial.get(index) for index in range(21)] == blocks_of(21)
    # Nor do they make a fork of a root that we hold.
    partial = empty()
    fetch(partial, source(blocks_of(9)), 0)
    proof, leaf = feed.proof(9), feed.node(18)
    with pytest.raises(FeedFalseError):
        partial.put(
            9,
            None,
            (
                replace(leaf, size=leaf.size + 1),
                replace(proof.nodes[0], size=proof.nodes[0].size - 1),
                *proof.nodes[1:],
            ),
            proof.signature,
        )


def test_a_key_that_signs_petabytes_is_not_followed() -> None:
    top = Node(0, leaf_hash(b"x"), 1)
    nodes = []
    while top.index < 2**40:
        other = Node(flat_tree.sibling(top.index), bytes(32), 2**30)
        nodes.append(other)
        top = parent_node(top, other)
    head = Head(flat_tree.span(top.index)[1], top.size, (top,), b"")
    signature = PAIR.sign(head.root_hash)
    partial = empty()
    with pytest.raises(FeedUnprovedError) as caught:
        partial.put(0, b"x", nodes, signature)
    assert caught.value.code == "feed-too-long"
    assert partial.length == 0


def test_a_block_whose_bytes_are_others_now_is_missing_and_comes_back(tmp_path: Path) -> None:
    feed = source(blocks_of(9))
    with PartialFeed.create(tmp_path, "", PAIR.public) as partial:
        for index in range(9):
            fetch(partial, feed, index)
        partial.flush()
        whole = (tmp_path / "data").read_bytes()
        (tmp_path / "data").write_bytes(b"X" + whole[1:])
        with pytest.raises(NoBlockError):
            partial.get(0)
        assert list(partial.missing(0, 9)) == [(0, 1)]
        partial.flush()
    with PartialFeed.open(tmp_path, "", PAIR.public) as partial:
        assert not partial.has(0)
        fetch(partial, feed, 0)
        assert partial.get(0) == feed.get(0)
    assert (tmp_path / "data").read_bytes() == whole


def test_missing_runs_cross_pages_and_what_nobody_knows_is_missing() -> None:
    feed = source([b""] * 20_000)
    partial = empty()
    assert list(partial.missing(3, 2**60)) == [(3, 2**60)]
    there = [0, 1, 8, 15, *range(16, 40), 8191, 8192, *range(16_000, 17_000), 19_999]
    for index in there:
        fetch(partial, feed, index)
    runs = list(partial.missing(0, 25_000))
    assert [at for first, end in runs for at in range(first, end)] == [
        at for at in range(25_000) if at not in set(there)
    ]
    assert all(runs[at][1] < runs[at + 1][0] for at in range(len(runs) - 1))
    assert list(partial.missing(16_100, 16_900)) == []
    assert partial.have_bitmap(16_000, 16_016) == b"\xff\xff"


def crash_steps(random: Random) -> list[tuple[str, int]]:
    """Blocks in any order while the feed grows to three lengths, with flushes in between."""
    steps: list[tuple[str, int]] = []
    known = 0
    for length in (5, 40, 8200):
        steps.append(("grow", length))
        wanted = random.sample(range(length), min(length, 12))
        for index in [known, *(wanted if known else wanted[1:])]:
            steps.append(("fetch", index))
            if random.random() < 0.2:
                steps.append(("flush", 0))
        known = length
    return [*steps, ("flush", 0)]


FEEDS: dict[int, Feed] = {}


def feed_of(length: int) -> Feed:
    if length not in FEEDS:
        FEEDS[length] = source([b"%d" % at * (at % 400) for at in range(length)])
    return FEEDS[length]


def play(disk: Disk, partial: PartialFeed, steps: list[tuple[str, int]]) -> tuple[set[int], int]:
    """Go through the steps until the power fails; return what was flushed then."""
    flushed: set[int] = set()
    taken: set[int] = set()
    safe_length, feed = 0, feed_of(5)
    try:
        for action, number in steps:
            if action == "grow":
                feed = feed_of(number)
            elif action == "fetch":
                fetch(partial, feed, number)
                taken.add(number)
            else:
                partial.flush()
                flushed, safe_length = set(taken), partial.length
                assert partial.head() == partial.newest_head()
    except PowerLostError:
        pass
    return flushed, safe_length


@pytest.mark.parametrize("seed", range(4))
def test_a_power_cut_at_any_operation_takes_only_what_was_not_flushed(seed: int) -> None:
    random = Random(seed)
    steps = crash_steps(random)
    operations = 0
    while True:
        disk = Disk()
        partial = PartialFeed.create(HERE, "", PAIR.public, files=disk)
        disk.operations_left = operations
        flushed, safe_length = play(disk, partial, steps)
        done = disk.operations_left > 0
        disk.lose_power(random)
        partial = PartialFeed.open(HERE, "", PAIR.public, files=disk)
        assert partial.length >= safe_length
        there = {index for first, end in holes_filled(partial) for index in range(first, end)}
        assert there >= flushed
        feed = feed_of(max(5, partial.length))
        for index in there:
            assert partial.get(index) == feed.get(index)
            assert partial.proof(index).nodes == feed.proof(index).nodes
        # It goes on from there, and another power cut takes nothing of what is there now.
        for index in (partial.length, 0, 4):
            if index < 8200:
                fetch(partial, feed_of(8200), index)
        disk.lose_power(random)
        partial = PartialFeed.open(HERE, "", PAIR.public, files=disk)
        assert all(partial.has(index) for index in there)
        if done:
            return
        operations += random.choice([1, 1, 2, 3])


def holes_filled(partial: PartialFeed) -> list[tuple[int, int]]:
    runs, at = [], 0
    for first, end in partial.missing(0, partial.length):
        runs.append((at, first))
        at = end
    return [*runs, (at, partial.length)]


def test_a_write_or_sync_that_fails_closes_the_feed_until_it_is_opened_again() -> None:
    feed = source(blocks_of(9))
    for name in ("data", "tree", "signatures", "bitfield"):
        disk = Disk()
        partial = PartialFeed.create(HERE, "", PAIR.public, files=disk)
        fetch(partial, feed, 3)
        partial.flush()
        fetch(partial, feed, 4)
        disk.failing = {name}
        with pytest.raises(StorageError):
            partial.flush()
        disk.failing = set()
        with pytest.raises(StorageError, match="A write to the feed failed: "):
            partial.flush()
        with pytest.raises(StorageError, match="A write to the feed failed: "):
            fetch(partial, feed, 5)
        partial = PartialFeed.open(HERE, "", PAIR.public, files=disk)
        assert partial.has(3)
        had = partial.has(4)
        disk.lose_power(Random(0))
        partial = PartialFeed.open(HERE, "", PAIR.public, files=disk)
        assert partial.has(3)
        assert partial.has(4) == had
        assert not had or partial.get(4) == feed.get(4)


def test_a_flush_that_has_begun_ends_before_the_files_are_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = source(blocks_of(9))
    partial = PartialFeed.create(tmp_path, "", PAIR.public)
    fetch(partial, feed, 3)
    syncing, go_on = threading.Event(), threading.Event()
    failures: list[BaseException] = []
    sync = OSFile.sync

    def slow(file: OSFile) -> None:
        syncing.set()
        go_on.wait(30)
        sync(file)

    def flush() -> None:
        try:
            partial.flush()
        except StorageError as error:
            failures.append(error)

    monkeypatch.setattr(OSFile, "sync", slow)
    flushing, closing = (threading.Thread(target=each) for each in (flush, partial.close))
    flushing.start()
    assert syncing.wait(30)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    go_on.set()
    for thread in (flushing, closing):
        thread.join(30)
    assert failures == []
    with PartialFeed.open(tmp_path, "", PAIR.public) as again:
        assert again.get(3) == feed.get(3)


def test_damage_that_no_crash_explains(tmp_path: Path) -> None:
    feed = source(blocks_of(9))
    with PartialFeed.create(tmp_path, "", PAIR.public) as partial:
        for index in (2, 8):
            fetch(partial, feed, index)
        partial.flush()
    tree = (tmp_path / "tree").read_bytes()
    # A node between a block and the root: the block cannot be proved any more, and is forgotten.
    (tmp_path / "tree").write_bytes(tree[: 32 + 40 * 5] + b"\xaa" + tree[32 + 40 * 5 + 1 :])
    bits = (tmp_path / "bitfield").read_bytes()
    torn = bytes([bits[32 + 1024] & ~(128 >> 5)])
    (tmp_path / "bitfield").write_bytes(bits[: 32 + 1024] + torn + bits[32 + 1025 :])
    with PartialFeed.open(tmp_path, "", PAIR.public) as partial:
        assert (partial.has(2), partial.has(8)) == (False, True)
        fetch(partial, feed, 2)
        assert partial.get(2) == feed.get(2)
    signatures = (tmp_path / "signatures").read_bytes()
    (tmp_path / "signatures").write_bytes(signatures[:-1] + bytes([signatures[-1] ^ 1]))
    with pytest.raises(StorageError) as caught:
        PartialFeed.open(tmp_path, "", PAIR.public)
    assert (caught.value.code, caught.value.fatal) == ("feed-damaged", True)
    with pytest.raises(StorageError) as caught:
        PartialFeed.open(tmp_path, "", KeyPair.generate().public)
    assert caught.value.code == "feed-other-key"
    with pytest.raises(StorageError) as caught:
        PartialFeed.open(tmp_path, "other.", PAIR.public)
    assert caught.value.code == "feed-missing"
    with pytest.raises(StorageError) as caught:
        PartialFeed.create(tmp_path, "", PAIR.public)
    assert caught.value.code == "feed-exists"


@pytest.mark.parametrize("ours", [1, 3, 39, 55])
def test_what_was_not_flushed_leaves_a_feed_that_ends_where_it_was(
    ours: int, tmp_path: Path
) -> None:
    feed = source(blocks_of(70), [ours])
    with PartialFeed.create(tmp_path, "", PAIR.public) as partial:
        for index in range(ours):
            fetch(partial, source(blocks_of(ours)), index)
        partial.flush()
        for index in range(ours, 70):
            fetch(partial, feed, index)
    PartialFeed.open(tmp_path, "", PAIR.public).close()
    head = audit_feed(tmp_path, "", PAIR.public)  # with nothing in any place that was not signed
    assert head.length == ours


def test_growth_is_told_when_it_is_on_the_disk() -> None:
    feed, partial = source(blocks_of(9)), empty()
    told: list[int] = []
    stop = partial.on_growth(lambda: told.append(partial.head().length))
    fetch(partial, feed, 3)
    assert (told, partial.head().length, partial.length) == ([], 0, 9)
    partial.flush()
    partial.flush()
    assert told == [9]
    stop()
    fetch(partial, feed, 4)
    partial.flush()
    assert told == [9]


def test_bytes_are_found_where_the_sizes_are_known() -> None:
    blocks = blocks_of(21)
    feed, partial = source(blocks), empty()
    fetch(partial, feed, 9)
    ends = [sum(map(len, blocks[: index + 1])) for index in range(21)]
    for offset in (ends[8], ends[9] - 1):
        assert partial.seek(offset) == 9
    assert partial.seek(0) is None
    for index in range(21):
        fetch(partial, feed, index)
    for offset in range(ends[-1]):
        assert partial.seek(offset) == next(at for at in range(21) if offset < ends[at])
    assert partial.seek(ends[-1]) is None


def test_heads_are_compared_also_where_the_last_block_is_the_same() -> None:
    for ours in (5, 9, 13):
        partial, feed = empty(), source(blocks_of(ours))
        for index in range(ours):
            fetch(partial, feed, index)
        for theirs in (5, 9, 13, 20):
            asked = min(theirs - 1, ours)
            for changed in range(min(ours, theirs)):
                same = source(blocks_of(theirs))
                proof = same.proof(asked)
                nodes = (same.node(2 * asked), *proof.nodes)
                assert partial.compare(asked, nodes, proof.signature) == same.head()
                with pytest.raises(FeedFalseError):
                    partial.compare(asked, nodes[:-1], proof.signature)
                blocks = blocks_of(theirs)
                blocks[changed] = b"another"
                fork = source(blocks)
                proof = fork.proof(asked)
                nodes = (fork.node(2 * asked), *proof.nodes)
                with pytest.raises(ForkError) as caught:
                    partial.compare(asked, nodes, proof.signature)
                assert caught.value.evidence is not None
            assert partial.newest_head() == feed.head()
