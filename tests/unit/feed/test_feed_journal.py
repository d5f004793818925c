"""The journal: one sync for many files, and what it is worth after a crash or damage."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from random import Random

import pytest
from behind_journal import CONTENT, JOURNAL, LOG, LOG_KEYS, NAMES, Behind, journal
from power import Disk, PowerLostError

from nodevms.errors import StorageError
from nodevms.feed import Feed, FeedDamagedError, Journal, audit_feed
from nodevms.feed.sleep import feed_path

FIRST_RECORD = 512


class Keeper(Random):
    """Loses as much as a power cut can: no unsynced sector and no new size stays."""

    def choice(self, seq):  # type: ignore[no-untyped-def]
        return seq[0]


@pytest.fixture
def disk() -> Disk:
    return Disk()


def put(disk: Disk, offset: int, data: bytes) -> None:
    content = disk.files[JOURNAL]
    content.seen[offset : offset + len(data)] = data


def record_places(disk: Disk) -> list[int]:
    data = disk.bytes_of(JOURNAL)
    mark = data[FIRST_RECORD : FIRST_RECORD + 8]
    return [at for at in range(len(data)) if data[at : at + 8] == mark]


def test_a_batch_of_two_feeds_costs_two_syncs_of_one_file(disk: Disk) -> None:
    feeds = Behind.create(disk)
    disk.syncs.clear()
    feeds.write([b"content"], [b"entry"])
    feeds.write([], [b"entry", b"another"])
    assert disk.syncs == ["journal"] * 3


def test_what_was_synced_survives_though_no_file_of_a_feed_was(disk: Disk) -> None:
    feeds = Behind.create(disk)
    for number in range(20):
        feeds.write([b"content %d" % number], [b"entry %d" % number] * 3)
    disk.lose_power(Keeper())
    assert len(disk.bytes_of(feed_path(*LOG, "data"))) == 0
    feeds = Behind.open(disk)
    assert (feeds.log.length, feeds.content.length) == (60, 20)
    assert feeds.log.get(59) == b"entry 19"
    assert feeds.content.get(19) == b"content 19"


def test_a_full_journal_begins_anew_behind_synced_files(disk: Disk) -> None:
    feeds = Behind.create(disk, room_bytes=4096)
    for number in range(50):
        feeds.write([b"c" * 100], [b"entry %d" % number])
    feeds.write([], [b"x" * 10_000])  # more than the journal has room for
    assert len(disk.bytes_of(JOURNAL)) == 4096
    disk.lose_power(Keeper())
    feeds = Behind.open(disk, room_bytes=4096)
    assert (feeds.log.length, feeds.content.length) == (51, 50)
    assert feeds.log.get(50) == b"x" * 10_000


def test_an_end_syncs_all_files_and_leaves_an_empty_journal(disk: Disk) -> None:
    feeds = Behind.create(disk)
    feeds.write([b"content"], [b"entry"])
    feeds.close()
    feeds.journal.end()
    seen = {path: bytes(content.seen) for path, content in disk.files.items()}
    disk.lose_power(Keeper())
    assert seen == {path: bytes(content.seen) for path, content in disk.files.items()}
    assert disk.bytes_of(JOURNAL) == b""
    assert journal(disk, 4096).redo() == 0


def test_a_last_record_that_is_torn_was_never_relied_on(disk: Disk) -> None:
    feeds = Behind.create(disk)
    feeds.write([], [b"first"])
    feeds.write([], [b"second"])
    last = record_places(disk)[-1]
    put(disk, last + 40, b"\x00" * 8)
    disk.files[JOURNAL].settle()
    disk.lose_power(Keeper())
    assert Behind.open(disk).log.length == 1


@pytest.mark.parametrize("at", [0, 9, 30, 60])
def test_a_damaged_record_before_others_is_refused_and_nothing_is_changed(
    at: int, disk: Disk
) -> None:
    feeds = Behind.create(disk)
    for entry in (b"first", b"second", b"third"):
        feeds.write([], [entry])
    place = record_places(disk)[1] + at
    put(disk, place, bytes([disk.bytes_of(JOURNAL)[place] ^ 1]))
    before = {path: bytes(content.seen) for path, content in disk.files.items()}
    with pytest.raises(FeedDamagedError, match="not the last"):
        Behind.open(disk)
    assert before == {path: bytes(content.seen) for path, content in disk.files.items()}


def test_a_damaged_header_is_refused(disk: Disk) -> None:
    Behind.create(disk).write([], [b"entry"])
    put(disk, 20, b"\xaa\xbb")
    with pytest.raises(FeedDamagedError, match="does not begin as a journal does"):
        Behind.open(disk)


def test_records_of_an_older_generation_do_not_count(disk: Disk) -> None:
    feeds = Behind.create(disk)
    for number in range(5):
        feeds.write([], [b"entry %d" % number])
    Behind.open(disk)  # a second life begins over the records of the first
    assert journal(disk, 1 << 16).redo() == 0


def test_a_record_that_a_caller_wrote_into_an_entry_is_none(disk: Disk) -> None:
    feeds = Behind.create(disk)
    feeds.write([], [b"entry"])
    copied = disk.bytes_of(JOURNAL)[FIRST_RECORD : FIRST_RECORD + 400]
    feeds.write([], [copied])  # even with the mark, it stands in another place
    disk.lose_power(Keeper())
    assert Behind.open(disk).log.length == 2


def test_redoing_writes_everything_again_though_it_seems_to_be_there(disk: Disk) -> None:
    feeds = Behind.create(disk)
    feeds.write([b"content"], [b"entry"])
    # The system wrote the files back, failed, and believes that they are on the disk.
    for feed in (LOG, CONTENT):
        for name in NAMES:
            content = disk.files[feed_path(*feed, name)]
            content.sizes, content.sectors = [], {}
    feeds = Behind.open(disk)
    disk.lose_power(Keeper())
    feeds = Behind.open(disk)
    assert (feeds.log.get(0), feeds.content.get(0)) == (b"entry", b"content")


def test_after_a_failed_sync_nothing_is_taken_until_it_is_opened_again(disk: Disk) -> None:
    feeds = Behind.create(disk)
    feeds.write([b"content"], [b"first"])
    disk.failing = {"journal"}
    with pytest.raises(StorageError, match="sync failed"):
        feeds.write([], [b"second"])
    disk.failing = set()
    with pytest.raises(StorageError, match="earlier write to the journal failed"):
        feeds.write([b"more"], [b"third"])
    feeds.close()  # must not empty the journal: what the files have may be in memory only
    disk.lose_power(Keeper())
    feeds = Behind.open(disk)
    assert feeds.log.length in (1, 2)
    assert (feeds.log.get(0), feeds.content.get(0)) == (b"first", b"content")


def test_an_end_that_fails_leaves_the_records(disk: Disk) -> None:
    feeds = Behind.create(disk)
    feeds.write([b"content"], [b"entry"])
    disk.failing = {"call-log.tree"}
    with pytest.raises(OSError, match="sync failed"):
        feeds.journal.end()
    disk.failing = set()
    disk.lose_power(Keeper())
    assert Behind.open(disk).log.length == 1


def test_a_file_that_is_gone_is_damage(disk: Disk) -> None:
    Behind.create(disk).write([], [b"entry"])
    del disk.files[feed_path(*LOG, "tree")]
    with pytest.raises(FeedDamagedError, match="is missing"):
        Behind.open(disk)


def test_a_journal_of_more_files_than_are_known_is_refused(disk: Disk) -> None:
    Behind.create(disk).write([], [b"entry"])
    with pytest.raises(FeedDamagedError, match="names a file that this release lacks"):
        Journal(JOURNAL, [Path("/one")], files=disk).redo()


def test_a_file_behind_a_journal_is_not_cut(disk: Disk) -> None:
    feeds = Behind.create(disk)
    file = feeds.journal.open(feed_path(*LOG, "data"))
    with pytest.raises(OSError, match="only grows"):
        file.truncate(0)


class HeaderLast(Random):
    """The disk writes everything but a file's first sector."""

    def choice(self, seq):  # type: ignore[no-untyped-def]
        return seq[-1]

    def lose(self, disk: Disk) -> None:
        header = disk.files[JOURNAL].sectors.pop(0, None)
        disk.lose_power(self)
        assert header is None or disk.files[JOURNAL].sectors == {}


@pytest.mark.parametrize("rooms", [(4096, 4096), (3000, 8192)])
def test_power_may_fail_at_each_operation_of_making_filling_and_beginning_anew(
    rooms: tuple[int, int],
) -> None:
    for operations in range(110):
        for seed in range(6):
            disk = Disk()
            feeds = Behind.create(disk, room_bytes=rooms[0])
            for number in range(7):
                feeds.write([], [b"%d" % number * 50])
            disk.operations_left = operations
            acknowledged = 7
            try:
                feeds = Behind.open(disk, room_bytes=rooms[1])
                for number in range(7, 17):
                    feeds.write([b"c"], [b"%d" % number * 400])
                    acknowledged = number + 1
                feeds.close()
            except PowerLostError:
                pass
            if seed:
                disk.lose_power(Random(seed))
            else:
                HeaderLast().lose(disk)
            feeds = Behind.open(disk, room_bytes=rooms[1])
            assert acknowledged <= feeds.log.length <= acknowledged + 1
            assert feeds.content.length >= feeds.log.length - 7


def test_a_judge_reads_what_redoing_would_give_and_changes_nothing(disk: Disk) -> None:
    feeds = Behind.create(disk)
    for number in range(50):
        feeds.write([b"content %d" % number], [bytes([number]) * 100] * (number % 5 + 1))
    disk.lose_power(Keeper())
    places = [feed_path(*feed, name) for feed in (CONTENT, LOG) for name in NAMES]
    before = {path: disk.bytes_of(path) for path in [*places, JOURNAL]}
    shown = journal(disk, 1 << 16).redone()
    files = {path: shown.open(path) for path in places}
    read = {path: file.read_at(0, file.size() + 10) for path, file in files.items()}
    parts = {path: file.read_at(90, 5000) for path, file in files.items()}
    with pytest.raises(OSError, match="changes nothing"):
        files[places[0]].write_at(0, b"x")
    with pytest.raises(OSError, match="changes nothing"):
        shown.open(places[0], writable=True)
    with Feed.open(*LOG, writable=False, files=shown) as log:
        assert (log.length, log.get(0)) == (150, bytes(100))
    assert {path: disk.bytes_of(path) for path in [*places, JOURNAL]} == before
    journal(disk, 1 << 16).redo()
    assert read == {path: disk.bytes_of(path) for path in places}
    assert parts == {path: disk.bytes_of(path)[90:5090] for path in places}


def test_a_journal_is_private(tmp_path: Path) -> None:
    made = Journal(tmp_path / "journal", [], room_bytes=1024)
    made.begin()
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600
    made.end()


def test_a_batch_that_only_the_files_have_is_whole_beside_the_journals_older_ones() -> None:
    for sizes in product((1, 2, 3, 5), repeat=3):
        disk = Disk()
        feeds = Behind.create(disk)
        *synced, last = ([b"entry %d" % number] * size for number, size in enumerate(sizes))
        for blocks in synced:
            feeds.write([], blocks)
        feeds.log.append(last)  # and the process is killed here
        judged = journal(disk, 1 << 16).redone()
        assert audit_feed(*LOG, LOG_KEYS.public, files=judged).length == sum(sizes)
        assert Behind.open(disk).log.length == sum(sizes)


def test_what_is_written_beside_the_journals_writes_is_read_as_it_is_now(disk: Disk) -> None:
    feeds = Behind.create(disk)
    feeds.write([], [b"first"])
    judged = journal(disk, 1 << 16).redone()
    for open_first in (True, False):
        opened = judged.open(feed_path(*LOG, "data")) if open_first else None
        feeds.write([], [b"second"])
        opened = opened or judged.open(feed_path(*LOG, "data"))
        assert opened.read_at(0, 11) == b"firstsecond"
