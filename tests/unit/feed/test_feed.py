"""A feed through its public face: what it promises to the code that appends and reads."""

import errno
import hashlib
import threading
from pathlib import Path

import pytest

from nodevms.errors import LocalProtocolError, StorageError, UsageError
from nodevms.feed import (
    BATCH_BLOCKS_MAX,
    BLOCK_BYTES_MAX,
    EMPTY_HEAD,
    Feed,
    KeyPair,
    OSFiles,
    RandomAccessFile,
    audit_feed,
    verify_head,
)

PAIR = KeyPair.from_seed(b"\x07" * 32)


def contents(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()
    }


class FailingFiles(OSFiles):
    """Fails the writes or syncs of the files whose name ends with one of ``broken``."""

    def __init__(self) -> None:
        self.broken: dict[str, str] = {}

    def open(
        self, path: Path, *, create: bool = False, writable: bool = False, mode: int = 0o644
    ) -> RandomAccessFile:
        return FailingFile(
            self, path.name, super().open(path, create=create, writable=writable, mode=mode)
        )


class FailingFile:
    def __init__(self, files: FailingFiles, name: str, file: RandomAccessFile) -> None:
        self._files, self._name, self._file = files, name, file
        self.read_at, self.size = file.read_at, file.size
        self.truncate, self.close = file.truncate, file.close

    def write_at(self, offset: int, data: bytes) -> None:
        if self._files.broken.get(self._name) == "write":
            self._file.write_at(offset, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        self._file.write_at(offset, data)

    def sync(self) -> None:
        if self._files.broken.get(self._name) == "sync":
            raise OSError(errno.EIO, "Input/output error")
        self._file.sync()


def test_a_new_feed_is_empty_private_and_opens_again(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "feed"
    with Feed.create(directory, "call-log.", PAIR) as feed:
        assert (feed.length, feed.byte_length, feed.synced_length) == (0, 0, 0)
        assert feed.head() == feed.synced_head() == EMPTY_HEAD
        assert feed.writable
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "call-log.secret_key").stat().st_mode & 0o777 == 0o600
    for writable in (True, False):
        with Feed.open(directory, "call-log.", writable=writable) as feed:
            assert feed.head() == EMPTY_HEAD
            assert feed.key == PAIR.public
            assert feed.writable is writable
    assert audit_feed(directory, "call-log.", PAIR.public) == EMPTY_HEAD


def test_a_loose_secret_key_file_is_tightened_when_it_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "secret_key").touch(mode=0o644)
    Feed.create(tmp_path, "", PAIR).close()
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_a_feed_is_never_created_over_another(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        feed.append([b"kept"])
        feed.sync()
    before = contents(tmp_path)
    for lost in ("", "key"):
        if lost:
            (tmp_path / lost).unlink()
        with pytest.raises(StorageError) as caught:
            Feed.create(tmp_path, "", KeyPair.generate())
        assert caught.value.code == "feed-exists"
    (tmp_path / "key").write_bytes(PAIR.public)
    assert contents(tmp_path) == before


def test_a_creation_that_crashed_is_done_again(tmp_path: Path) -> None:
    for name in ("data", "tree", "bitfield", "signatures"):
        (tmp_path / name).touch()
    with Feed.create(tmp_path, "", PAIR) as feed:
        assert feed.append([b"first"]) == 0


def test_a_secret_that_is_derived_need_not_be_stored(tmp_path: Path) -> None:
    pair = PAIR.content_key_pair()
    Feed.create(tmp_path, "", pair, store_secret=False).close()
    assert not (tmp_path / "secret_key").exists()
    with pytest.raises(StorageError):
        Feed.open(tmp_path, "", writable=True)
    with pytest.raises(StorageError) as caught:
        Feed.open(tmp_path, "", writable=True, key_pair=PAIR)
    assert caught.value.code == "feed-key-mismatch"
    with Feed.open(tmp_path, "", writable=True, key_pair=pair) as feed:
        feed.append([b"content"])
        verify_head(pair.public, feed.head())


def test_appending_answers_with_the_seq_of_the_first_block(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        assert feed.append([b"a", b"", b"ccc"]) == 0
        assert (feed.length, feed.byte_length, feed.synced_length) == (3, 4, 0)
        assert feed.synced_head() == EMPTY_HEAD
        feed.sync()
        assert feed.synced_length == 3
        assert feed.append([]) == 3
        assert feed.append([b"dd"]) == 3
        assert [feed.get(index) for index in range(4)] == [b"a", b"", b"ccc", b"dd"]
        assert list(feed.get_many(1, 4)) == [b"", b"ccc", b"dd"]
        assert [feed.byte_offset(index) for index in range(5)] == [0, 1, 1, 4, 6]


def test_a_second_batch_waits_for_the_sync_of_the_first(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        feed.append([b"one"])
        with pytest.raises(LocalProtocolError) as caught:
            feed.append([b"two"])
        assert caught.value.code == "feed-unsynced"
        feed.sync()
        assert feed.append([b"two"]) == 1


def test_what_could_never_be_replicated_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        for blocks in ([bytes(BLOCK_BYTES_MAX + 1)], [b""] * (BATCH_BLOCKS_MAX + 1)):
            with pytest.raises(LocalProtocolError) as caught:
                feed.append(blocks)
            assert caught.value.code == "feed-too-large"
        assert feed.append([bytes(BLOCK_BYTES_MAX)]) == 0


def test_readers_and_missing_blocks(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        feed.append([b"a", b"b"])
        feed.sync()
        for index in (-1, 2, 2**40):
            with pytest.raises(LocalProtocolError):
                feed.get(index)
            with pytest.raises(LocalProtocolError):
                feed.proof(index)
        with pytest.raises(LocalProtocolError):
            list(feed.get_many(1, 3))
        before = contents(tmp_path)
        with Feed.open(tmp_path, "", writable=False) as reader:
            with pytest.raises(LocalProtocolError) as caught:
                reader.append([b"no"])
            assert caught.value.code == "feed-read-only"
            feed.append([b"c"])
            assert list(reader.get_many(0, reader.length)) == [b"a", b"b"]
        feed.sync()
        assert contents(tmp_path).keys() == before.keys()


def test_a_reader_changes_nothing_even_when_the_last_batch_is_torn(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        for block in (b"first", b"second"):
            feed.append([block])
            feed.sync()
    (tmp_path / "data").write_bytes(b"firstsec")
    for path in tmp_path.iterdir():
        path.chmod(0o400)
    before = contents(tmp_path)
    with Feed.open(tmp_path, "", writable=False) as reader:
        assert list(reader.get_many(0, reader.length)) == [b"first"]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["data", "tree", "signatures", "bitfield"])
@pytest.mark.parametrize("action", ["write", "sync"])
def test_after_a_failure_nothing_is_appended_until_it_is_opened_again(
    name: str, action: str, tmp_path: Path
) -> None:
    files = FailingFiles()
    feed = Feed.create(tmp_path, "", PAIR, files=files)
    feed.append([b"kept", b"kept too"])
    feed.sync()
    files.broken[name] = action
    if action == "sync":
        feed.append([b"lost?"])
    with pytest.raises(StorageError) as caught:
        _ = feed.append([b"lost?"]) if action == "write" else feed.sync()
    assert name in str(caught.value)
    files.broken.clear()
    for attempt in (lambda: feed.append([b"again"]), feed.sync):
        with pytest.raises(StorageError) as caught:
            attempt()
        assert caught.value.code == "feed-closed"
    assert feed.get(1) == b"kept too"
    assert feed.synced_length == 2
    feed.close()

    with Feed.open(tmp_path, "", writable=True) as feed:
        assert feed.length == (3 if action == "sync" else 2)
        assert feed.append([b"later"]) == feed.synced_length
        feed.sync()
        head = feed.head()
    assert audit_feed(tmp_path, "", PAIR.public) == head


def test_opening_fails_when_what_it_kept_cannot_be_synced(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        feed.append([b"unsynced"])
    files = FailingFiles()
    files.broken["data"] = "sync"
    with pytest.raises(StorageError):
        Feed.open(tmp_path, "", writable=True, files=files)
    with Feed.open(tmp_path, "", writable=True) as feed:
        assert feed.synced_length == 1


def test_others_may_read_while_one_appends(tmp_path: Path) -> None:
    feed = Feed.create(tmp_path, "", PAIR)
    done = threading.Event()
    errors: list[BaseException] = []

    def read() -> None:
        try:
            while not done.is_set():
                head = feed.synced_head()
                if head.length:
                    verify_head(PAIR.public, head)
                    index = head.length - 1
                    assert feed.get(index) == b"%d" % index * (index % 7)
                    assert feed.head_at(head.length).roots == head.roots
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(150):
        first = feed.length
        feed.append([b"%d" % index * (index % 7) for index in range(first, first + 5)])
        feed.sync()
    done.set()
    for thread in threads:
        thread.join()
    feed.close()
    assert errors == []


def test_a_block_that_rotted_is_not_handed_out(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        for block in (b"first", b"second", b"third"):
            feed.append([block])
            feed.sync()
        (tmp_path / "data").write_bytes(b"fiRstsecondthird")
        with pytest.raises(StorageError) as caught:
            feed.get(0)
        assert (caught.value.code, caught.value.fatal) == ("feed-damaged", True)
        assert feed.get(1) == b"second"


def test_heads_of_the_past(tmp_path: Path) -> None:
    with Feed.create(tmp_path, "", PAIR) as feed:
        heads = {0: EMPTY_HEAD}
        for size in (1, 2, 5, 1, 8):
            feed.append([b"x" * size] * size)
            feed.sync()
            heads[feed.length] = feed.head()
        for length in range(feed.length + 1):
            head = feed.head_at(length)
            if length in heads:
                assert head == heads[length]
            else:
                assert head.signature == b""
        with pytest.raises(LocalProtocolError):
            feed.head_at(feed.length + 1)


def test_key_files_that_are_wrong(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        Feed.open(tmp_path / "nowhere", "", writable=False)
    assert caught.value.code == "feed-missing"
    with pytest.raises(UsageError):
        Feed.open(tmp_path, "../", writable=False)
    Feed.create(tmp_path, "", PAIR).close()
    (tmp_path / "key").write_bytes(KeyPair.generate().public)
    with pytest.raises(StorageError) as caught:
        Feed.open(tmp_path, "", writable=True)
    assert caught.value.code == "feed-key-mismatch"
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(StorageError):
        Feed.open(tmp_path, "", writable=False)
