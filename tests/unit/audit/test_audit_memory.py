from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from nodevms.audit.seen import LEAF_BYTES, Memory, Seen, SeenHead, check_against_memory
from nodevms.errors import CouldNotCheckError, ProvedFalseError

KEY = bytes(range(32))


def head(length: int) -> SeenHead:
    return SeenHead(length=length, root_hash="", signature="", files="", time_ms=length)


def leaf(seq: int) -> bytes:
    return sha256(b"%d" % seq).digest()


def other_from(start: int) -> Callable[[int], bytes]:
    return lambda seq: leaf(seq) if seq < start else sha256(b"other %d" % seq).digest()


def remembered(memory: Memory) -> Seen:
    seen = memory.recall(KEY)
    assert seen is not None
    return seen


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state")


def test_nothing_is_known_of_a_new_log(memory: Memory) -> None:
    assert memory.recall(KEY) is None


def test_what_was_seen_is_recalled_and_grows(memory: Memory) -> None:
    for length in (3, 3, 5000, 4):
        memory.remember(KEY, head(length), leaf)
    seen = remembered(memory)
    digest = sha256(b"".join(map(leaf, range(5000)))).hexdigest()
    assert seen.head == replace(head(5000), leaves_sha256=digest)
    assert seen.leaves.stat().st_size == 5000 * LEAF_BYTES
    assert [seen.leaf(seq) for seq in (0, 2, 3, 4999)] == [leaf(seq) for seq in (0, 2, 3, 4999)]
    assert memory.recall(bytes(32)) is None


def test_leaves_of_a_broken_write_are_overwritten(memory: Memory) -> None:
    memory.remember(KEY, head(2), leaf)
    with remembered(memory).leaves.open("ab") as file:
        file.write(b"torn")
    memory.remember(KEY, head(4), leaf)
    check_against_memory(remembered(memory), 4, leaf, allow_older=False)


@pytest.mark.parametrize("seq", [0, 1, 4095, 4096, 4999])
@pytest.mark.parametrize("length", [5000, 6000])
def test_a_rewritten_log_is_noticed(memory: Memory, seq: int, length: int) -> None:
    memory.remember(KEY, head(5000), leaf)
    with pytest.raises(ProvedFalseError, match=rf"entry {seq} is not") as caught:
        check_against_memory(remembered(memory), length, other_from(seq), allow_older=True)
    assert caught.value.code == "log-rewritten"


def test_a_shortened_log_is_noticed(memory: Memory) -> None:
    memory.remember(KEY, head(5), leaf)
    with pytest.raises(ProvedFalseError, match="entry 4 is missing") as caught:
        check_against_memory(remembered(memory), 4, leaf, allow_older=False)
    assert caught.value.code == "log-shortened"
    check_against_memory(remembered(memory), 4, leaf, allow_older=True)


def test_a_log_that_grew_is_accepted(memory: Memory) -> None:
    memory.remember(KEY, head(5), leaf)
    check_against_memory(remembered(memory), 5, leaf, allow_older=False)
    check_against_memory(remembered(memory), 9, other_from(5), allow_older=False)


def test_a_changed_memory_accuses_nobody(memory: Memory) -> None:
    memory.remember(KEY, head(5), leaf)
    with remembered(memory).leaves.open("r+b") as file:
        file.write(b"?")
    with pytest.raises(CouldNotCheckError) as caught:
        check_against_memory(remembered(memory), 5, leaf, allow_older=False)
    assert caught.value.code == "memory-unreadable"


def test_two_who_remember_at_once_leave_a_whole_memory(memory: Memory) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: memory.remember(KEY, head(n), leaf), range(1, 200)))
    seen = remembered(memory)
    assert seen.head.length == 199
    seen.check_whole()
    check_against_memory(seen, 199, leaf, allow_older=False)


@pytest.mark.parametrize("damage", ["head", "leaves", "missing leaves"])
def test_a_damaged_memory_is_not_taken_for_none(memory: Memory, damage: str) -> None:
    memory.remember(KEY, head(5), leaf)
    place = remembered(memory).leaves.parent
    if damage == "head":
        (place / "head.json").write_text("{")
    elif damage == "leaves":
        (place / "leaves").write_bytes(bytes(LEAF_BYTES * 5 - 1))
    else:
        (place / "leaves").unlink()
    with pytest.raises(CouldNotCheckError) as caught:
        memory.recall(KEY)
    assert caught.value.code == "memory-unreadable"
