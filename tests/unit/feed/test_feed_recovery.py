"""What a writable open makes of the files that a crash, or damage, left behind."""

import shutil
from pathlib import Path

import pytest

from nodevms.errors import StorageError
from nodevms.feed import Feed, KeyPair, audit_feed

PAIR = KeyPair.from_seed(b"\x09" * 32)
BATCHES = [[b"a" * 700, b"bb"], [b"c"], [b"dd" * 900, b"", b"e" * 1500]]
FILES = ["data", "tree", "signatures", "bitfield"]


def write(directory: Path, batches: list[list[bytes]]) -> None:
    with Feed.create(directory, "", PAIR) as feed:
        for batch in batches:
            feed.append(batch)
            feed.sync()


def read(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def feed_dir(tmp_path: Path) -> Path:
    write(tmp_path / "feed", BATCHES)
    return tmp_path / "feed"


@pytest.fixture
def without_last(tmp_path: Path) -> dict[str, bytes]:
    """The files of a feed that never had the last batch."""
    write(tmp_path / "shorter", BATCHES[:-1])
    return read(tmp_path / "shorter")


def reopen(directory: Path) -> int:
    with Feed.open(directory, "", writable=True) as feed:
        assert feed.synced_length == feed.length
        return feed.length


def damaged(directory: Path) -> None:
    """Opening is refused and changes nothing."""
    before = read(directory)
    with pytest.raises(StorageError) as caught:
        Feed.open(directory, "", writable=True)
    assert (caught.value.code, caught.value.fatal) == ("feed-damaged", True)
    assert read(directory) == before


def put(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize("name", ["data", "tree", "signatures"])
def test_a_last_batch_cut_at_any_byte_is_gone_without_a_trace(
    name: str, feed_dir: Path, without_last: dict[str, bytes], tmp_path: Path
) -> None:
    whole = read(feed_dir)
    kept, end = len(without_last[name]), len(whole[name])
    for size in sorted({kept, kept + 1, *range(kept, end, 97), end - 41, end - 1}):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(feed_dir, copy)
        (copy / name).write_bytes(whole[name][:size])
        assert reopen(copy) == 3
        assert read(copy) == without_last


def test_a_bitfield_is_made_anew_whatever_it_was(feed_dir: Path) -> None:
    whole = read(feed_dir)
    for broken in (b"", b"\x05", bytes(4000), b"\xff" * 9000, whole["bitfield"][:-1]):
        (feed_dir / "bitfield").write_bytes(broken)
        assert reopen(feed_dir) == 6
        assert read(feed_dir) == whole


def test_sectors_that_were_never_written_tear_a_batch(
    feed_dir: Path, without_last: dict[str, bytes]
) -> None:
    start = len(without_last["data"])
    put(feed_dir / "data", start - start % 512 + 1024, bytes(512))
    assert reopen(feed_dir) == 3
    assert read(feed_dir) == without_last


@pytest.mark.parametrize("lost", [32, 64])
def test_a_signature_that_was_not_or_half_written_tears_a_batch(lost: int, tmp_path: Path) -> None:
    # The slot of block 63 lies over a sector's border.
    write(tmp_path / "feed", [[b"x"] * 63, [b"last"]])
    put(tmp_path / "feed" / "signatures", 32 + 64 * 63 + 64 - lost, bytes(lost))
    assert reopen(tmp_path / "feed") == 63


def test_a_node_that_was_written_over_an_earlier_hole_is_taken_back(tmp_path: Path) -> None:
    # The fourth block completes nodes 5 and 3; node 3 stands among those of the first batch.
    write(tmp_path / "three", [[b"a", b"b", b"c"]])
    write(tmp_path / "four", [[b"a", b"b", b"c"], [b"d"]])
    (tmp_path / "four" / "data").write_bytes(b"abc")
    assert reopen(tmp_path / "four") == 3
    assert read(tmp_path / "four") == read(tmp_path / "three")


def test_missing_nodes_of_a_last_batch_whose_data_are_there_are_written_again(
    feed_dir: Path,
) -> None:
    whole = read(feed_dir)
    put(feed_dir / "tree", 32 + 40 * 7, bytes(40))  # the root over all of it
    put(feed_dir / "tree", 32 + 40 * 9, bytes(40))
    assert reopen(feed_dir) == 6
    assert read(feed_dir) == whole


def test_unsigned_leavings_of_a_next_batch_are_cut(feed_dir: Path) -> None:
    whole = read(feed_dir)
    for name in FILES:
        (feed_dir / name).write_bytes(whole[name] + b"\x00" * 30 + b"torn" * 10)
    (feed_dir / "signatures").write_bytes(whole["signatures"] + bytes(64))
    assert reopen(feed_dir) == 6
    assert read(feed_dir) == whole


def test_a_first_batch_that_is_torn_leaves_an_empty_feed(tmp_path: Path) -> None:
    write(tmp_path / "empty", [])
    for name in ("data", "tree", "signatures"):
        write(tmp_path / name, [[b"first", b"second"]])
        path = tmp_path / name / name
        path.write_bytes(path.read_bytes()[:-1])
        assert reopen(tmp_path / name) == 0
        assert read(tmp_path / name) == read(tmp_path / "empty")


def test_a_feed_goes_on_where_the_torn_batch_was_cut(feed_dir: Path, tmp_path: Path) -> None:
    put(feed_dir / "data", 703, bytes(3300))
    with Feed.open(feed_dir, "", writable=True) as feed:
        assert feed.append([b"another"]) == 3
        feed.sync()
        head = feed.head()
    write(tmp_path / "never", [*BATCHES[:-1], [b"another"]])
    assert read(feed_dir) == read(tmp_path / "never")
    assert audit_feed(feed_dir, "", PAIR.public) == head


def test_damage_in_the_last_batch_that_is_no_hole_is_not_cut(feed_dir: Path) -> None:
    whole = read(feed_dir)
    leaf = 32 + 40 * 6
    places = [("data", 800), ("data", 4002), ("signatures", 32 + 64 * 5), ("tree", leaf + 39)]
    for name, offset in places:
        put(feed_dir / name, offset, bytes([whole[name][offset] ^ 1]))
        damaged(feed_dir)
        (feed_dir / name).write_bytes(whole[name])
    # An inner node is computed again from what the signature vouches for.
    put(feed_dir / "tree", 32 + 40 * 7, b"\xaa")
    assert reopen(feed_dir) == 6
    assert read(feed_dir) == whole


def test_damage_before_the_last_batch_is_refused(feed_dir: Path) -> None:
    whole = read(feed_dir)
    # The roots before the last batch, of which its signature is computed.
    for index in (1, 4):
        put(feed_dir / "tree", 32 + 40 * index, b"\xaa\xbb")
        damaged(feed_dir)
        (feed_dir / "tree").write_bytes(whole["tree"])
    # A torn last batch, and the one before it is torn as well.
    for size in (0, 702):
        (feed_dir / "data").write_bytes(whole["data"][:size])
        damaged(feed_dir)
    (feed_dir / "data").write_bytes(whole["data"])
    # A later batch was begun, so the last signed one had been synced.
    put(feed_dir / "data", 1024, bytes(512))
    (feed_dir / "tree").write_bytes(whole["tree"] + bytes(40) + b"next" * 10)
    damaged(feed_dir)


def test_signatures_that_vanished_do_not_take_a_whole_feed_with_them(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        for _ in range(2):
            feed.append([b""] * 65_536)
            feed.sync()
    signatures = tmp_path / "signatures"
    signatures.write_bytes(signatures.read_bytes()[:32])
    damaged(tmp_path)


def test_files_that_do_not_begin_as_they_should_are_refused(feed_dir: Path) -> None:
    whole = read(feed_dir)
    for name in ("tree", "signatures"):
        put(feed_dir / name, 3, b"\x09")
        damaged(feed_dir)
        (feed_dir / name).write_bytes(whole[name])


def test_a_size_of_petabytes_in_the_tree_asks_for_no_memory(feed_dir: Path) -> None:
    for index in (10, 1, 4):
        put(feed_dir / "tree", 32 + 40 * index + 32, b"\x00\x7f")
        damaged(feed_dir)


def test_an_offset_that_no_file_has_is_damage_too(feed_dir: Path) -> None:
    put(feed_dir / "tree", 32 + 40 * 0 + 32, b"\x80")
    put(feed_dir / "tree", 32 + 40 * 2 + 32, b"\x80")
    with Feed.open(feed_dir, "", writable=False) as feed:
        for index in (0, 1):
            with pytest.raises(StorageError) as caught:
                feed.get(index)
            assert caught.value.fatal


def test_a_reader_takes_the_longest_prefix_that_is_whole(feed_dir: Path) -> None:
    whole = read(feed_dir)

    def readable() -> int:
        with Feed.open(feed_dir, "", writable=False) as feed:
            return feed.length

    assert readable() == 6
    put(feed_dir / "tree", 32 + 40 * 9, bytes(40))  # a writer would mend it
    assert readable() == 3
    (feed_dir / "tree").write_bytes(whole["tree"])
    put(feed_dir / "data", 800, b"\x00")
    assert readable() == 3
    (feed_dir / "data").write_bytes(whole["data"][:702])
    with pytest.raises(StorageError) as caught:
        readable()
    assert caught.value.fatal


def test_opening_twice_is_opening_once(feed_dir: Path) -> None:
    whole = read(feed_dir)
    for _ in range(2):
        assert reopen(feed_dir) == 6
        assert read(feed_dir) == whole
