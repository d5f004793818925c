"""A copy of a backend's feeds, over the network and over HTTP in turns: what it keeps and refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from nodevms.audit import EntryFalseError, EntryUncheckedError
from nodevms.audit.copy_place import CopyPlace
from nodevms.audit.kept_copy import KeptCopy
from nodevms.audit.opening import CALL_LOG, Place, open_checked
from nodevms.errors import NodeVMSError, StorageError, UsageError
from nodevms.feed import Feed, KeyPair, PartialFeed
from nodevms.feed.sleep import HEADERS
from nodevms.rpc.doors import HeadDocument
from nodevms.vm.directory import LOG_PREFIX, Layout

PAIR = KeyPair.from_seed(b"\x4d" * 32)
PARTS = ("data", "tree", "signatures")


def log_of(directory: Path, entries: int, salt: bytes = b"") -> Feed:
    """A log that signs every four entries."""
    feed = Feed.create(directory, LOG_PREFIX, PAIR)
    for start in range(0, entries, 4):
        feed.append([b"%d %s" % (seq, salt) * 20 for seq in range(start, start + 4)])
        feed.sync()
    return feed


@pytest.fixture
def source(tmp_path: Path) -> Feed:
    return log_of(tmp_path / "source", 40)


def put(feed: PartialFeed, source: Feed, *numbers: int) -> None:
    for seq in numbers:
        proof = source.proof(seq, feed.digest(seq))
        feed.put(seq, source.get(seq), proof.nodes, proof.signature)


def over_network(directory: Path, source: Feed, *numbers: int) -> None:
    with CopyPlace(directory, PAIR.public) as place:
        feed = place.log(PAIR.public)
        put(feed, source, *numbers)
        feed.flush()


def over_http(directory: Path, source: Feed, *, stop: str = "", data_bytes: int = -1) -> None:
    """Do as :class:`nodevms.audit.fetch.Fetcher` does, up to a part at which it breaks off."""
    head = source.head_at(source.length)
    document = HeadDocument(PAIR.public.hex(), head.length, head.byte_length, head.signature.hex())
    copy = KeptCopy("call-log", directory, LOG_PREFIX, document)
    copy.prepare(allow_older=False)
    stored = {part: next(iter(_files(source, part))).read_bytes() for part in PARTS}
    if stop == "tree":
        return
    copy.path("tree.new").write_bytes(stored["tree"])
    copy.take_tree(copy.path("tree.new"))
    if stop == "signatures":
        return
    copy.path("signatures").write_bytes(stored["signatures"])
    have = copy.good_data_bytes()
    copy.path("data").write_bytes(stored["data"][: max(have, data_bytes)])
    if data_bytes < 0:
        copy.path("data").write_bytes(stored["data"])


def _files(feed: Feed, part: str) -> list[Path]:
    return [getattr(feed._files, part).path]


def checked_length(directory: Path) -> int:
    feed, head = open_checked(Place(CALL_LOG, Layout(directory)), lambda *_: None)
    feed.close()
    return head.length


@pytest.mark.parametrize("stop", ["tree", "signatures", "data", ""])
def test_a_fetch_that_broke_off_over_a_copy_with_holes_takes_nothing_away(
    tmp_path: Path, source: Feed, stop: str
) -> None:
    kept = tmp_path / "kept"
    over_network(kept, source, 0, 1, 17, 39)
    over_http(kept, source, stop=stop, data_bytes=100 if stop == "data" else -1)
    with CopyPlace(kept, PAIR.public) as place:
        feed = place.log(PAIR.public)
        assert feed.length == 40
        missing = [seq for run in feed.missing(0, 40) for seq in range(*run)]
        assert {0, 1}.isdisjoint(missing)
        assert (not missing) == (not stop)
        put(feed, source, *missing)
        feed.flush()
        assert [feed.get(seq) for seq in range(40)] == [source.get(seq) for seq in range(40)]
    assert checked_length(kept) == 40


@pytest.mark.parametrize("numbers", [(0, 39), tuple(range(40))])
def test_a_copy_with_holes_notices_another_history_and_a_shorter_one(
    tmp_path: Path, source: Feed, numbers: tuple[int, ...]
) -> None:
    kept = tmp_path / "kept"
    over_network(kept, source, *numbers)
    with pytest.raises(EntryFalseError) as caught:
        over_http(kept, log_of(tmp_path / "shorter", 36))
    assert caught.value.code == "log-shortened"
    with pytest.raises(EntryFalseError) as caught:
        over_http(kept, log_of(tmp_path / "other", 44, b"another"))
    assert caught.value.code == "log-rewritten"
    with CopyPlace(kept, PAIR.public) as place:
        feed = place.log(PAIR.public)
        assert feed.length == 40
        assert all(feed.has(seq) for seq in numbers)


def test_a_tree_that_is_not_whole_is_not_believed(tmp_path: Path, source: Feed) -> None:
    kept = tmp_path / "kept"
    over_http(kept, source)
    tree = bytearray((kept / "call-log.tree").read_bytes())
    tree[32 + 40 * 5] ^= 1
    (kept / "call-log.tree").write_bytes(tree)
    with CopyPlace(kept, PAIR.public) as place:
        feed = place.log(PAIR.public)
        assert (feed.length, list(feed.missing(0, 40))) == (40, [(0, 40)])
        put(feed, source, *range(40))
        feed.flush()
    assert checked_length(kept) == 40


def test_what_a_power_cut_left_behind_the_head_is_no_obstacle(tmp_path: Path, source: Feed) -> None:
    kept = tmp_path / "kept"
    over_network(kept, source, *range(40))
    with (kept / "call-log.data").open("ab") as file:
        file.write(b"of a block whose head never reached the disk")
    over_network(kept, source)
    assert checked_length(kept) == 40


@pytest.mark.parametrize(
    "name",
    [
        "lock",
        "evidence",
        "call-log.data",
        "call-log.tree",
        "call-log.signatures",
        "call-log.bitfield",
        "call-log.bitfield.new",
    ],
)
def test_nothing_is_written_through_a_link(tmp_path: Path, source: Feed, name: str) -> None:
    kept, outside = tmp_path / "kept", tmp_path / "outside"
    over_network(kept, source, 0)
    whole = HEADERS.get(name.rpartition(".")[2], b"") + b"somebody's own words"
    outside.write_bytes(whole)
    if name.endswith(".new"):
        (kept / "call-log.bitfield").unlink()
    (kept / name).unlink(missing_ok=True)
    (kept / name).symlink_to(outside)
    try:
        over_network(kept, source, *range(40))
    except (StorageError, UsageError) as error:
        refused: NodeVMSError | None = error
    else:
        refused = None
    assert (refused is None) == name.endswith(".new")
    assert outside.read_bytes() == whole


@pytest.mark.parametrize("key", [None, b""])
def test_a_copy_that_was_killed_as_it_began_is_begun_again(
    tmp_path: Path, source: Feed, key: bytes | None
) -> None:
    kept = tmp_path / "kept"
    over_network(kept, source)
    (kept / "call-log.key").unlink()
    if key is not None:
        (kept / "call-log.key").write_bytes(key)
    over_network(kept, source, *range(40))
    assert checked_length(kept) == 40
    # With blocks it is no beginning, and somebody's own words are none either.
    (kept / "call-log.key").unlink()
    with pytest.raises(StorageError):
        over_network(kept, source)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").touch()
    with pytest.raises(UsageError):
        over_network(tmp_path / "other", source)
    with pytest.raises(UsageError):
        over_network(tmp_path / "other" / "notes.txt", source)


@pytest.mark.parametrize("runs_on", [True, False])
def test_a_mirror_that_begins_while_a_copy_is_checked_makes_nothing_false(
    tmp_path: Path, source: Feed, runs_on: bool
) -> None:
    kept = tmp_path / "kept"
    shorter = log_of(tmp_path / "shorter", 36)
    over_network(kept, shorter, *range(36))
    mirrors: list[CopyPlace] = []

    def begin(*_: object) -> None:
        if not mirrors:
            mirrors.append(CopyPlace(kept, PAIR.public))
            put(mirrors[0].log(PAIR.public), source, 36, 39)
            if not runs_on:
                mirrors[0].close()

    place = Place(CALL_LOG, Layout(kept))
    if runs_on:
        feed, head = open_checked(place, begin, pause=lambda _: None)
    else:  # what it began is not complete, and that is all
        with pytest.raises(EntryUncheckedError) as caught:
            open_checked(place, begin, pause=lambda _: None)
        assert caught.value.code == "feed-incomplete"
        feed, head = open_checked(place, begin, allow_part=True)
    feed.close()
    mirrors[0].close()
    assert head.length == 36
