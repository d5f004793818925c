"""A copy of a backend that goes on while it is copied, over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from backends import photos

from nodevms.audit import Verifier
from nodevms.audit.contents_needed import ContentsNeeded
from nodevms.audit.copy_place import CopyPlace
from nodevms.audit.network_copy import CONTENTS, CopyLimits, NetworkCopy
from nodevms.dat import Address, Network, PublishedFeed, Swarm
from nodevms.errors import StorageError
from nodevms.feed import (
    Feed,
    ForkError,
    ForkEvidence,
    KeyPair,
    PartialFeed,
    keep_evidence,
    parse_dat_url,
)
from nodevms.sandbox import Engine
from nodevms.vm.directory import LOG_PREFIX, Layout
from nodevms.vm.entries import ChangeItem, decode, encode


class Silence:
    """Hears of the progress and says nothing."""

    def __init__(self) -> None:
        self.contents_begun = asyncio.Event()

    def fetching(self, what: str, done: int, total: int) -> None:
        if what == CONTENTS:
            self.contents_begun.set()


class Site:
    """A backend's feeds in a swarm of their own."""

    def __init__(self, directory: Path) -> None:
        layout = Layout(directory)
        self.log = Feed.open(layout.root, LOG_PREFIX, writable=True)
        self.metadata = Feed.open(layout.metadata, "", writable=True)
        secret = (layout.metadata / "secret_key").read_bytes()
        pair = KeyPair.from_secret(secret, self.metadata.key).content_key_pair()
        self.content = Feed.open(layout.content, "", writable=True, key_pair=pair)
        self.network = Network(Swarm(port=0))

    async def start(self) -> None:
        await self.network.start()
        for feed in (self.log, self.metadata):
            self.network.share(PublishedFeed(feed), drive=feed is self.metadata)

    def share_contents(self) -> None:
        self.network.share(PublishedFeed(self.content))

    def write(self) -> None:
        """Log a photo, and publish something: contents first, as every host does it."""
        last = decode(self.log.get(2))
        item = ChangeItem(
            path="/c.txt", kind="file", size=5, sha256="0" * 64, block=self.content.length
        )
        result = msgspec.structs.replace(last.result, changes=(item,))
        for feed, block in (
            (self.content, b"third"),
            (self.log, encode(msgspec.structs.replace(last, result=result))),
            (self.metadata, self.metadata.get(self.metadata.length - 1)),
        ):
            feed.append([block])
            feed.sync()


@pytest.fixture
async def site(tmp_path: Path, engine: Engine) -> AsyncIterator[Site]:
    directory = await asyncio.to_thread(photos, engine, tmp_path / "host")
    site = Site(directory)
    await site.start()
    yield site
    await site.network.stop()
    for feed in (site.log, site.metadata, site.content):
        feed.close()


async def test_a_copy_made_once_is_whole_whatever_comes_meanwhile(
    site: Site, tmp_path: Path, engine: Engine
) -> None:
    listener = Silence()
    network = Network(Swarm(port=None))
    network.always_ask(Address("127.0.0.1", site.network.swarm.port))
    await network.start()
    try:
        with CopyPlace(tmp_path / "copy", site.log.key) as place:
            copy = NetworkCopy(network, place, site.log.key, limits=CopyLimits(), listener=listener)
            completing = asyncio.ensure_future(copy.complete())
            await listener.contents_begun.wait()
            lengths = site.log.length, site.metadata.length
            site.write()
            await site.network.last_words()  # it hears of what is new, and does not want it
            site.share_contents()
            await completing
            await copy.end()
            assert copy.metadata is not None
            assert copy.log.feed.length == lengths[0]
            assert copy.metadata.feed.length == lengths[1]
    finally:
        await network.stop()
    report = await asyncio.to_thread(Verifier(engine).verify, tmp_path / "copy")
    assert report.entries == lengths[0]
    assert report.files_key == parse_dat_url(decode(site.log.get(0)).filesArchiveUrl)


async def test_a_flush_that_fails_in_any_way_ends_the_copy(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site.share_contents()
    network = Network(Swarm(port=None))
    network.always_ask(Address("127.0.0.1", site.network.swarm.port))
    await network.start()

    def fail() -> None:
        raise ZeroDivisionError("of ours")

    try:
        with CopyPlace(tmp_path / "copy", site.log.key) as place:
            copy = NetworkCopy(
                network, place, site.log.key, limits=CopyLimits(), listener=Silence(), live=True
            )
            copy.log.feed.on_growth(fail)

            async def follow() -> None:
                await copy.find()
                while True:
                    await copy.log.news(1)

            with pytest.raises(StorageError, match="of ours"):
                await asyncio.wait_for(follow(), 30)
            await copy.end()
    finally:
        await network.stop()
    assert "by a fault of ours" in caplog.text


async def test_a_fork_that_was_proved_once_is_not_forgotten(
    site: Site, tmp_path: Path, engine: Engine
) -> None:
    site.share_contents()
    network = Network(Swarm(port=None))
    network.always_ask(Address("127.0.0.1", site.network.swarm.port))
    await network.start()

    async def copied() -> None:
        with CopyPlace(tmp_path / "copy", site.log.key) as place:
            copy = NetworkCopy(
                network, place, site.log.key, limits=CopyLimits(), listener=Silence()
            )
            try:
                await copy.complete()
            finally:
                assert site.log.key in network.swarm.keys  # it is served on, for those who compare
                await copy.end()

    def verify() -> None:
        Verifier(engine).verify(tmp_path / "copy")

    try:
        await copied()
        await asyncio.to_thread(verify)
        heads = []
        for name in ("one", "other"):
            pair = KeyPair.from_secret(
                (tmp_path / "host" / f"{LOG_PREFIX}secret_key").read_bytes(), site.log.key
            )
            with Feed.create(tmp_path / name, "", pair) as feed:
                feed.append([name.encode()])
                heads.append(feed.head_at(1))
        evidence = ForkEvidence(site.log.key, *heads)
        keep_evidence(tmp_path / "copy" / "evidence", evidence)
        with pytest.raises(ForkError) as caught:
            await copied()
        assert caught.value.evidence == evidence
        with pytest.raises(ForkError):
            await asyncio.to_thread(verify)
    finally:
        await network.stop()


def test_what_an_entry_says_falsely_is_left_to_the_verifier(tmp_path: Path, engine: Engine) -> None:
    log = Feed.open(photos(engine, tmp_path / "host"), LOG_PREFIX, writable=True)
    copied = PartialFeed.create(tmp_path / "copy", LOG_PREFIX, log.key)
    needs = ContentsNeeded(copied)

    def copy(*numbers: int) -> None:
        for seq in numbers:
            proof = log.proof(seq, copied.digest(seq))
            copied.put(seq, log.get(seq), proof.nodes, proof.signature)

    copy(0, 1, 2)
    assert needs.blocks() == 2
    last = decode(log.get(2))
    incomplete = ChangeItem(path="/c.txt", kind="file", size=5, block=9)
    result = msgspec.structs.replace(last.result, changes=(incomplete,))
    log.append([b"no entry", encode(msgspec.structs.replace(last, result=result)), b""])
    log.sync()
    copy(log.length - 1, log.length - 2)
    assert needs.blocks() == 2
    for feed in (log, copied):
        feed.close()
