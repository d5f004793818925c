"""Feeds of any batches: what holds for all of them, and what no damage gets past."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from without_sync import WithoutSync

from nodevms.errors import CouldNotCheckError, ProvedFalseError, StorageError
from nodevms.feed import Feed, FeedFalseError, KeyPair, Proof, audit_feed, verify_proof

PAIR = KeyPair.from_seed(b"\x0d" * 32)
FILES = ["data", "tree", "signatures", "bitfield"]


FAST = WithoutSync()

blocks = st.binary(max_size=40) | st.integers(0, 1500).map(lambda size: b"\x5a" * size)
batch = st.lists(blocks, min_size=1, max_size=12)
batches = st.lists(batch, min_size=1, max_size=8)


@contextmanager
def written(content: list[list[bytes]]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        with Feed.create(path, "", PAIR, files=FAST) as feed:
            for one in content:
                feed.append(one)
                feed.sync()
        yield path


def read(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in FILES}


@settings(max_examples=120, deadline=None)
@given(content=batches, reopen_after=st.sets(st.integers(0, 7)))
def test_reopening_changes_nothing(content: list[list[bytes]], reopen_after: set[int]) -> None:
    wanted = [block for one in content for block in one]
    with written(content) as straight, tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        feed = Feed.create(path, "", PAIR, files=FAST)
        for number, one in enumerate(content):
            assert feed.append(one) == feed.synced_length
            if number in reopen_after:
                feed.close()  # the last batch unsynced: opening syncs it
                feed = Feed.open(path, "", writable=True, files=FAST)
            feed.sync()
        assert list(feed.get_many(0, feed.length)) == wanted
        assert [feed.get(index) for index in range(feed.length)] == wanted
        head = feed.head()
        feed.close()
        assert read(path) == read(straight)
        assert audit_feed(path, "", PAIR.public) == head


@settings(max_examples=60, deadline=None)
@given(content=batches, data=st.data())
def test_every_block_is_proved_and_no_flipped_bit_is(
    content: list[list[bytes]], data: st.DataObject
) -> None:
    with written(content) as path, Feed.open(path, "", writable=False) as feed:
        for index in range(feed.length):
            block, proof = feed.get(index), feed.proof(index)
            assert verify_proof(PAIR.public, index, block, proof) == feed.head()
        index = data.draw(st.integers(0, feed.length - 1), "index")
        block, proof = feed.get(index), feed.proof(index)

        def flipped(value: bytes) -> bytes:
            bit = data.draw(st.integers(0, 8 * len(value) - 1), "bit")
            number = int.from_bytes(value, "big") ^ (1 << bit)
            return number.to_bytes(len(value), "big")

        nodes = list(proof.nodes)
        choices = ["signature", "key"] + ["block"] * bool(block) + ["hash", "size"] * bool(nodes)
        what = data.draw(st.sampled_from(choices), "what")
        key, signature = PAIR.public, proof.signature
        if what in ("hash", "size"):
            at = data.draw(st.integers(0, len(nodes) - 1), "node")
            node = nodes[at]
            size = int.from_bytes(flipped(node.size.to_bytes(8, "big")), "big")
            changed = {"size": size} if what == "size" else {"hash": flipped(node.hash)}
            nodes[at] = replace(node, **changed)  # type: ignore[arg-type]
        elif what == "signature":
            signature = flipped(signature)
        elif what == "key":
            key = flipped(key)
        else:
            block = flipped(block)
        with pytest.raises(FeedFalseError):
            verify_proof(key, index, block, Proof(tuple(nodes), signature))


@settings(max_examples=120, deadline=None)
@given(content=batches, data=st.data())
def test_a_crash_within_the_last_batch_loses_that_batch_or_nothing(
    content: list[list[bytes]], data: st.DataObject
) -> None:
    """Every file of the last batch may stop anywhere, or hold zeros where it was not written."""
    with written(content[:-1]) as shorter, written(content) as path:
        without, whole = read(shorter), read(path)
        for name in FILES:
            kept, end = len(without[name]), len(whole[name])
            size = data.draw(st.integers(kept, end), f"size of {name}")
            # A sector that was not written has its old bytes, or zeros where there were none.
            torn = bytearray(whole[name][:size])
            old = without[name].ljust(size, b"\x00")
            changed = [
                at for at in range(0, size, 512) if torn[at : at + 512] != old[at : at + 512]
            ]
            for at in data.draw(
                st.sets(st.sampled_from(changed)) if changed else st.just(()), "lost"
            ):
                torn[at : at + 512] = old[at : min(at + 512, size)]
            (path / name).write_bytes(torn)
        with Feed.open(path, "", writable=True, files=FAST) as feed:
            length = feed.length
        kept_blocks = sum(map(len, content[:-1]))
        assert length in (kept_blocks, kept_blocks + len(content[-1]))
        assert read(path) == (whole if length > kept_blocks else without)
        with Feed.open(path, "", writable=True, files=FAST) as feed:
            feed.append([b"next"])
            feed.sync()
        assert audit_feed(path, "", PAIR.public).length == length + 1


@settings(max_examples=150, deadline=None)
@given(content=batches, data=st.data())
def test_no_damage_gets_past_an_audit_and_none_makes_it_fail_otherwise(
    content: list[list[bytes]], data: st.DataObject
) -> None:
    with written(content) as path:
        whole = read(path)
        head = audit_feed(path, "", PAIR.public)
        name = data.draw(st.sampled_from(FILES[:3]), "file")
        spoilt = bytearray(whole[name])
        for _ in range(data.draw(st.integers(1, 3), "places")):
            at = data.draw(st.integers(0, len(spoilt)), "at")
            new = data.draw(st.binary(max_size=70), "new")
            spoilt[at : at + data.draw(st.sampled_from([0, len(new), 64]), "old")] = new
        (path / name).write_bytes(spoilt)
        seen: list[bytes] = []
        try:
            found = audit_feed(path, "", PAIR.public, lambda _, block: seen.append(block))
        except (ProvedFalseError, CouldNotCheckError):
            return
        # What passed is the feed, or its beginning, with nothing changed that belongs to it.
        wanted = [block for one in content for block in one]
        assert seen == wanted[: found.length]
        assert found == head or found.length < head.length
        if name != "tree":  # which has places that no node belongs to
            assert whole[name].startswith(bytes(spoilt)) or bytes(spoilt) == whole[name]


@settings(max_examples=80, deadline=None)
@given(content=batches, data=st.data())
def test_opening_anything_works_or_says_why_not(
    content: list[list[bytes]], data: st.DataObject
) -> None:
    with written(content) as path:
        whole = read(path)
        for name in data.draw(st.sets(st.sampled_from(FILES), min_size=1), "files"):
            at = data.draw(st.integers(0, len(whole[name])), "at")
            spoilt = whole[name][:at] + data.draw(st.binary(max_size=80), "new")
            if data.draw(st.booleans(), "goes on"):
                spoilt += whole[name][len(spoilt) :]
            (path / name).write_bytes(spoilt)
        wanted = [block for one in content for block in one]
        for writable in (False, True):
            try:
                feed = Feed.open(path, "", writable=writable)
            except StorageError as error:
                assert error.fatal  # noqa: PT017
                continue
            with feed:
                # Only the last two batches are looked at, so a rotten block may come up later.
                for index in range(feed.length):
                    try:
                        assert feed.get(index) == wanted[index]
                    except StorageError as error:
                        assert error.fatal  # noqa: PT017
