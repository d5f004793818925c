"""Two feeds behind a journal, and a power cut at any operation: nothing acknowledged is lost."""

from __future__ import annotations

from pathlib import Path
from random import Random

from behind_journal import LOG, Behind
from hypothesis import given, settings
from hypothesis import strategies as st
from power import Disk, PowerLostError

from nodevms.feed import Feed, KeyPair
from nodevms.feed.sleep import feed_path

PAIR = KeyPair.from_seed(b"\x0e" * 32)

sizes = st.lists(st.sampled_from([0, 1, 40, 700, 2600]), min_size=1, max_size=4)
batches = st.lists(st.tuples(st.just([]) | sizes, sizes), min_size=1, max_size=12)
lives = st.lists(st.tuples(batches, st.integers(0, 150)), min_size=1, max_size=5)


@settings(max_examples=150, deadline=None)
@given(lives=lives, random=st.randoms(use_true_random=False))
def test_power_cuts_lose_nothing_acknowledged_and_keep_contents_before_entries(
    lives: list[tuple[list[tuple[list[int], list[int]]], int]], random: Random
) -> None:
    disk = Disk()
    Behind.create(disk, room_bytes=8192).close()
    content: list[bytes] = []
    log: list[bytes] = []
    acknowledged = 0
    needed: list[int] = []  # the content blocks that each entry of the log relies on
    for number, (work, operations) in enumerate(lives):
        disk.operations_left = operations
        try:
            feeds = Behind.open(disk, room_bytes=8192)
            # A batch that was cut is gone for good; the others are as they were written.
            assert acknowledged <= feeds.log.length <= len(log)
            assert feeds.content.length <= len(content)
            del log[feeds.log.length :], needed[feeds.log.length :], content[feeds.content.length :]
            assert list(feeds.log.get_many(0, len(log))) == log
            assert list(feeds.content.get_many(0, len(content))) == content
            assert len(content) >= max(needed, default=0)
            acknowledged = len(log)
            for contents, entries in work:
                content += [bytes([65 + number]) * size for size in contents]
                log += [bytes([97 + number]) * size for size in entries]
                needed += [len(content)] * len(entries)
                feeds.write(content[feeds.content.length :], log[feeds.log.length :])
                acknowledged = len(log)
            feeds.close()
        except PowerLostError:
            pass
        disk.lose_power(random)
    feeds = Behind.open(disk, room_bytes=8192)
    assert acknowledged <= feeds.log.length <= len(log)
    head = feeds.log.head()
    feeds.close()

    # And the files are those of a feed that never lost anything, byte for byte.
    straight = Disk()
    with Feed.create(Path("/straight"), "", PAIR, files=straight) as feed:
        feed.append(log[: head.length])
        assert feed.head().root_hash == head.root_hash
    for name in ("data", "tree", "bitfield"):
        theirs = straight.bytes_of(feed_path(Path("/straight"), "", name))
        assert disk.bytes_of(feed_path(*LOG, name)) == theirs
