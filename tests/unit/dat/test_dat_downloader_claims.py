"""Peers that say again and again that they have more than they show."""

from __future__ import annotations

import pytest
from peers_in_memory import Line, World, feed_of

from nodevms.dat import Limits, PublishedFeed, Uploader
from nodevms.dat.wire import Have, Unhave

BLOCKS = [b"block %d" % index for index in range(70)]


def claim(world: World, liars: list[Line]) -> None:
    """A second in which all claim a longer head, and say enough not to be taken for silent."""
    world.run(1.0)
    for liar in liars:
        if liar not in world.lines:  # sent away for its silence, which is as good
            continue
        liar.download.receive(Have(world.partial.length, 100))
        liar.download.receive(Unhave(world.partial.length + 99))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_they_keep_no_download_from_its_end_and_nobody_from_showing_more(count: int) -> None:
    world = World()
    liars = [world.connect(feed_of(BLOCKS[:40])) for _ in range(count)]
    world.run()
    assert world.partial.length == 40
    for liar in liars:
        liar.answered = False
    for _ in range(15):
        claim(world, liars)
    longer = world.connect(feed_of(BLOCKS))
    done = 0
    for _ in range(90):
        claim(world, liars)
        done += world.downloader.done
    assert world.partial.length == 70
    assert [*world.partial.missing(0, 70)] == []
    assert longer.error is None
    assert done > 30


def test_one_that_was_slow_once_is_asked_again() -> None:
    world = World(live=True)
    slow = world.connect(feed_of(BLOCKS[:40]))
    world.run()
    slow.answered = False
    slow.download.receive(Have(40, 30))
    world.run(12.0)
    longer = PublishedFeed(feed_of(BLOCKS))
    slow.uploader = Uploader(longer, slow.to_us.append, limits=Limits(), now=world.now)
    slow.answered = True
    slow.download.receive(Have(40, 30))
    world.run(40.0)
    assert world.partial.length == 70
