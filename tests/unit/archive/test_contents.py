import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from state_worlds import sha, temporary_contents

from nodevms.archive import FeedContents, Record, TemporaryContents, read_content
from nodevms.archive.contents import ContentStore
from nodevms.errors import CouldNotCheckError, LocalProtocolError, StorageError
from nodevms.feed import Feed, KeyPair

DATA = [b"", b"a", b"x" * 65_536, b"y" * 65_537, b"z" * 200_000, b"", b"end"]
BLOCKS = [0, 1, 1, 2, 4, 0, 1]


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    with Feed.create(tmp_path, "", KeyPair.from_seed(bytes(32))) as feed:
        yield feed


@pytest.fixture(params=["feed", "committed feed", "uncached feed", "temporary"])
def store(request: pytest.FixtureRequest, feed: Feed) -> ContentStore:
    if request.param == "temporary":
        return temporary_contents(1 << 20)
    return FeedContents(feed, cache_blocks_max=1 if request.param == "uncached feed" else 256)


def test_blocks_are_numbered_in_the_order_of_appending(
    store: ContentStore, request: pytest.FixtureRequest
) -> None:
    committed = "committed" in request.node.name or "uncached" in request.node.name
    expected = 0
    for data, blocks in zip(DATA, BLOCKS, strict=True):
        assert store.append(data) == expected
        expected += blocks
        if isinstance(store, FeedContents) and committed:
            assert store.commit() == blocks
            store._feed.sync()
    at = 0
    for data, blocks in zip(DATA, BLOCKS, strict=True):
        assert store.read(at, len(data)) == data
        record = Record("file", len(data), sha(data), 0, at, blocks)
        assert read_content(store, record) == data
        at += blocks


def test_content_that_is_not_the_records_is_fatal(store: ContentStore) -> None:
    store.append(b"abc")
    for record in (
        Record("file", 3, sha(b"abd"), 0, 0, 1),
        Record("file", 0, sha(b"abc"), 0, 0, 0),
        Record("file", 3, sha(b"abc"), 0, 1, 1),
        Record("file", 70_000, sha(b"abc"), 0, 0, 2),
    ):
        with pytest.raises(StorageError) as caught:
            read_content(store, record)
        assert caught.value.fatal
        assert caught.value.code == "content-damaged"


def test_a_commit_is_one_signed_batch(feed: Feed) -> None:
    contents = FeedContents(feed)
    assert contents.commit() == 0
    assert feed.length == 0
    contents.append(b"a")
    contents.append(b"b" * 70_000)
    assert contents.length == 3
    assert feed.length == 0
    assert contents.commit() == 3
    assert (feed.length, feed.synced_length) == (3, 0)
    assert len(feed.head().signature) == 64
    feed.sync()
    assert feed.head_at(1).signature == bytes(64) or not feed.head_at(1).signature
    assert [feed.get(n)[:1] for n in range(3)] == [b"a", b"b", b"b"]


def test_goes_on_where_the_feed_ends(feed: Feed, tmp_path: Path) -> None:
    feed.append([b"before"])
    feed.sync()
    contents = FeedContents(feed)
    assert contents.append(b"after") == 1
    assert contents.read(0, 6) == b"before"
    assert contents.read(1, 5) == b"after"


def test_next_batch_is_staged_while_one_is_committed(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = FeedContents(feed)
    contents.append(b"one")
    entered, leave = threading.Event(), threading.Event()
    append = feed.append

    def slow(blocks: list[bytes]) -> int:
        entered.set()
        assert leave.wait(10)
        return append(blocks)

    monkeypatch.setattr(feed, "append", slow)
    thread = threading.Thread(target=contents.commit)
    thread.start()
    assert entered.wait(10)
    assert contents.append(b"two!") == 1
    assert contents.read(0, 3) == b"one"
    assert contents.read(1, 4) == b"two!"
    with pytest.raises(LocalProtocolError):
        contents.commit()
    leave.set()
    thread.join()
    feed.sync()
    assert contents.read(0, 3) == b"one"
    assert contents.commit() == 1
    feed.sync()
    assert (feed.get(0), feed.get(1)) == (b"one", b"two!")


def test_after_a_failed_commit_nothing_goes_on_until_it_is_discarded(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = FeedContents(feed)
    contents.append(b"one")

    def broken(_blocks: list[bytes]) -> int:
        raise StorageError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(feed, "append", broken)
        with pytest.raises(StorageError):
            contents.commit()
    with pytest.raises(LocalProtocolError):
        contents.commit()
    contents.discard()
    assert contents.append(b"again") == 0
    assert contents.commit() == 1
    feed.sync()
    assert contents.read(0, 5) == b"again"


def test_more_blocks_than_a_batch_may_have(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodevms.archive.contents.BATCH_BLOCKS_MAX", 2)
    contents = FeedContents(feed)
    for n in range(5):
        contents.append(b"%d" % n)
    assert contents.commit() == 5
    assert (feed.length, feed.synced_length) == (5, 4)
    feed.sync()
    assert [contents.read(n, 1) for n in range(5)] == [b"0", b"1", b"2", b"3", b"4"]


def test_an_appender_beside_a_committer(feed: Feed) -> None:
    contents = FeedContents(feed, cache_blocks_max=2)
    done = threading.Event()
    failures: list[BaseException] = []

    def commit() -> None:
        try:
            while not done.is_set():
                if contents.commit():
                    feed.sync()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=commit)
    thread.start()
    placed = []
    for n in range(400):
        data = b"%d" % n * (1 + n % 3)
        placed.append((contents.append(data), data))
        for block, other in placed[n // 2 :: 37]:
            assert contents.read(block, len(other)) == other
    done.set()
    thread.join()
    assert failures == []
    if contents.commit():
        feed.sync()
    assert [feed.get(block) for block, _ in placed] == [data for _, data in placed]


def test_a_replay_has_a_limit() -> None:
    with TemporaryContents(10) as contents:
        contents.append(b"12345")
        contents.append(b"12345")
        contents.append(b"")
        with pytest.raises(CouldNotCheckError) as caught:
            contents.append(b"1")
        assert caught.value.code == "replay-disk-limit"
        assert contents.read(1, 5) == b"12345"


def test_a_replay_beyond_memory() -> None:
    with TemporaryContents(1 << 30) as contents:
        first = contents.append(b"a" * 9_000_000)
        second = contents.append(b"b" * 3)
        assert contents.read(first, 9_000_000) == b"a" * 9_000_000
        assert contents.append(b"c") == second + 1
        assert contents.read(second, 3) == b"bbb"
        assert contents.read(second + 1, 1) == b"c"
