"""Audits of files that came from somebody else, who may have done anything to them."""

from pathlib import Path

import pytest

from nodevms.errors import UsageError
from nodevms.feed import Feed, FeedFalseError, FeedUncheckedError, KeyPair, audit_feed

PAIR = KeyPair.from_seed(b"\x0a" * 32)
BATCHES = [[b"zero"], [b"one", b"two"], [b"three"], [b"four", b"five", b"six"]]
LENGTH = 7


@pytest.fixture
def feed_dir(tmp_path: Path) -> Path:
    with Feed.create(tmp_path, "log.", PAIR) as feed:
        for batch in BATCHES:
            feed.append(batch)
            feed.sync()
    return tmp_path


def put(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def audit(directory: Path, **options: object) -> int:
    return audit_feed(directory, "log.", PAIR.public, **options).length  # type: ignore[arg-type]


def proved_false(directory: Path, name: str, block: int | None, code: str) -> None:
    with pytest.raises(FeedFalseError) as caught:
        audit(directory)
    error = caught.value
    assert (error.file, error.block, error.code) == (f"log.{name}", block, code)
    assert f"log.{name}" in str(error)


def unchecked(directory: Path, name: str, block: int | None, **options: object) -> None:
    with pytest.raises(FeedUncheckedError) as caught:
        audit(directory, **options)
    assert (caught.value.file, caught.value.block) == (f"log.{name}", block)


def test_an_honest_feed(feed_dir: Path) -> None:
    seen: list[tuple[int, bytes]] = []
    head = audit_feed(feed_dir, "log.", PAIR.public, lambda at, block: seen.append((at, block)))
    assert seen == list(enumerate(block for batch in BATCHES for block in batch))
    with Feed.open(feed_dir, "log.", writable=False) as feed:
        assert head == feed.head()


def test_only_data_tree_and_signatures_are_needed(feed_dir: Path) -> None:
    for name in ("key", "secret_key", "bitfield"):
        (feed_dir / f"log.{name}").unlink()
    assert audit(feed_dir) == LENGTH
    for name in ("data", "tree", "signatures"):
        path = feed_dir / f"log.{name}"
        kept = path.read_bytes()
        path.unlink()
        unchecked(feed_dir, name, 0)
        path.write_bytes(kept)


def test_a_changed_block_is_named(feed_dir: Path) -> None:
    at = 0
    for block, text in enumerate(block for batch in BATCHES for block in batch):
        put(feed_dir / "log.data", at, b"X")
        proved_false(feed_dir, "data", block, "feed-block")
        put(feed_dir / "log.data", at, text)
        at += len(text)


@pytest.mark.parametrize("index", range(2 * LENGTH - 1))
def test_a_changed_node_is_found(index: int, feed_dir: Path) -> None:
    if index in (7, 11):  # over blocks that are not there yet: no node belongs here
        put(feed_dir / "log.tree", 32 + 40 * index, b"what no writer writes")
        proved_false(feed_dir, "tree", LENGTH, "feed-tree")
        size = sum(map(len, BATCHES[-1])) + 1
        put(feed_dir / "log.tree", 32 + 40 * index, b"\xaa" * 32 + size.to_bytes(8, "big"))
        code = "feed-unsigned" if index == 11 else "feed-tree"  # node 7 would be over 26 bytes
        proved_false(feed_dir, "tree", LENGTH, code)
        assert audit(feed_dir, exact=False) == LENGTH
        return
    put(feed_dir / "log.tree", 32 + 40 * index, b"\xaa\xaa")
    with pytest.raises(FeedFalseError) as caught:
        audit(feed_dir)
    assert caught.value.code == ("feed-tree" if index % 2 else "feed-block")


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8])
def test_every_changed_byte_is_proved_false(length: int, tmp_path: Path) -> None:
    blocks = [block for batch in BATCHES for block in batch] + [b"seven"]
    with Feed.create(tmp_path, "log.", PAIR) as feed:
        for block in blocks[:length]:
            feed.append([block])
            feed.sync()
    assert audit(tmp_path) == length
    for name in ("data", "tree", "signatures"):
        path = tmp_path / f"log.{name}"
        whole = path.read_bytes()
        for offset in range(len(whole)):
            put(path, offset, bytes([whole[offset] ^ 0x40]))
            with pytest.raises(FeedFalseError):
                audit(tmp_path)
            put(path, offset, whole[offset : offset + 1])


def test_a_changed_signature_is_named(feed_dir: Path) -> None:
    path = feed_dir / "log.signatures"
    whole = path.read_bytes()
    for block in (0, 2, 3, 6):
        put(path, 32 + 64 * block, bytes([whole[32 + 64 * block] ^ 1]))
        proved_false(feed_dir, "signatures", block, "feed-signature")
        path.write_bytes(whole)
    put(path, 32 + 64, b"\x01")  # one where no batch ended
    proved_false(feed_dir, "signatures", 1, "feed-signature")


def test_blocks_and_tree_changed_together_still_lack_a_signature(feed_dir: Path) -> None:
    forged = feed_dir / "forged"
    with Feed.create(forged, "log.", KeyPair.generate()) as feed:
        for batch in BATCHES:
            feed.append([block.replace(b"five", b"FIVE") for block in batch])
            feed.sync()
    for name in ("data", "tree"):
        (feed_dir / f"log.{name}").write_bytes((forged / f"log.{name}").read_bytes())
    proved_false(feed_dir, "signatures", 6, "feed-signature")
    (feed_dir / "log.signatures").write_bytes((forged / "log.signatures").read_bytes())
    proved_false(feed_dir, "signatures", 0, "feed-signature")


def test_what_is_cut_off_could_not_be_checked(feed_dir: Path) -> None:
    sizes = {"data": (26, 6), "tree": (32 + 40 * 13, 6), "signatures": (32 + 64 * 7, 6)}
    for name, (size, block) in sizes.items():
        path = feed_dir / f"log.{name}"
        whole = path.read_bytes()
        assert len(whole) == size
        path.write_bytes(whole[:-1])
        unchecked(feed_dir, name, block)
        path.write_bytes(whole)
    for name in ("tree", "signatures"):
        path = feed_dir / f"log.{name}"
        whole = path.read_bytes()
        path.write_bytes(whole[:31])
        unchecked(feed_dir, name, None)
        path.write_bytes(whole)
    put(feed_dir / "log.tree", 32 + 40 * 5, bytes(40))
    unchecked(feed_dir, "tree", 2)
    put(feed_dir / "log.tree", 32 + 40 * 4, bytes(40))
    unchecked(feed_dir, "tree", 2)


def test_claims_of_petabytes(feed_dir: Path) -> None:
    put(feed_dir / "log.tree", 32 + 40 * 8 + 32, b"\x7f")
    proved_false(feed_dir, "tree", 4, "feed-tree")
    # With the head's roots spoilt as well nobody knows how much was signed.
    put(feed_dir / "log.tree", 32 + 40 * 12, b"\xaa")
    unchecked(feed_dir, "data", 4)
    with (feed_dir / "log.data").open("r+b") as file:
        file.truncate(1 << 42)
    put(feed_dir / "log.tree", 32 + 40 * 8 + 32, b"\x00\x00\x03")
    unchecked(feed_dir, "data", 4)


def test_blocks_above_the_ceiling_are_not_read(feed_dir: Path) -> None:
    unchecked(feed_dir, "data", 3, block_bytes_max=4)


def test_what_nobody_signed_is_not_part_of_a_feed(feed_dir: Path) -> None:
    for name, more in (("data", b"seven"), ("tree", b"\xaa" * 80), ("signatures", bytes(64))):
        path = feed_dir / f"log.{name}"
        whole = path.read_bytes()
        path.write_bytes(whole + more)
        proved_false(feed_dir, name, LENGTH, "feed-unsigned")
        assert audit(feed_dir, exact=False) == LENGTH
        path.write_bytes(whole)


def test_an_earlier_head_can_be_checked_by_itself(feed_dir: Path) -> None:
    assert audit(feed_dir, length=3, exact=False) == 3
    unchecked(feed_dir, "signatures", 1, length=2, exact=False)
    unchecked(feed_dir, "tree", LENGTH, length=LENGTH + 1, exact=False)
    unchecked(feed_dir, "tree", 7, length=2**90, exact=False)
    with pytest.raises(UsageError):
        audit(feed_dir, length=-1)
    assert audit(feed_dir, length=0, exact=False) == 0
    with pytest.raises(FeedFalseError):
        audit(feed_dir, length=3)


def test_garbage_and_nothing_at_all(feed_dir: Path) -> None:
    for name in ("tree", "signatures"):
        path = feed_dir / f"log.{name}"
        whole = path.read_bytes()
        path.write_bytes(b"\xde\xad" * 5000)
        proved_false(feed_dir, name, None, "feed-header")
        path.write_bytes(b"")
        unchecked(feed_dir, name, None)
        path.write_bytes(whole)
    with pytest.raises(FeedFalseError):
        audit_feed(feed_dir, "log.", KeyPair.generate().public)
    with pytest.raises(UsageError):
        audit_feed(feed_dir, "log.", b"short")


def test_a_long_feed_is_checked_part_by_part(tmp_path: Path) -> None:
    blocks = [bytes([at % 251]) * (at % 1500) for at in range(3000)]
    with Feed.create(tmp_path, "", PAIR) as feed:
        for start in (0, 7, 2500):
            feed.append(blocks[start : {0: 7, 7: 2500, 2500: 3000}[start]])
            feed.sync()
    seen: list[bytes] = []
    assert audit_feed(tmp_path, "", PAIR.public, seen.insert).length == 3000
    assert seen == blocks
