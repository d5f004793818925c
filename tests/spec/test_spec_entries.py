"""tests/vectors/entries: each block and its verdict, by our reader and by the independent one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from independent_entry import ENTRY_BYTES_MAX, depth, read_entry
from independent_feed import IsFalse, NotChecked

from nodevms.errors import CouldNotCheckError, ProvedFalseError
from nodevms.json_text import deeper_than
from nodevms.vm.entries import decode, encode

VECTORS = Path(__file__).parents[1] / "vectors" / "entries"


def cases(verdict: str) -> list[Any]:
    rows = json.loads((VECTORS / f"{verdict}.json").read_text())
    return [pytest.param(block_of(row), id=row["name"]) for row in rows]


def block_of(row: dict[str, str]) -> bytes:
    return bytes.fromhex(row["hex"]) if "hex" in row else row["text"].encode()


@pytest.mark.parametrize("block", cases("holds"))
def test_blocks_that_are_entries(block: bytes) -> None:
    assert encode(decode(block)) == block
    assert read_entry(block)["type"] == json.loads(block)["type"]


@pytest.mark.parametrize("block", cases("false"))
def test_blocks_that_are_none(block: bytes) -> None:
    with pytest.raises(ProvedFalseError):
        decode(block)
    with pytest.raises(IsFalse):
        read_entry(block)


@pytest.mark.parametrize("block", cases("unchecked"))
def test_blocks_of_a_later_format(block: bytes) -> None:
    with pytest.raises(CouldNotCheckError):
        decode(block)
    with pytest.raises(NotChecked):
        read_entry(block)


CALL = next(case.values[0] for case in cases("holds") if case.id == "call")


@pytest.mark.parametrize(
    "block",
    [
        CALL.replace(b"[]", b"[" * 100_000 + b"]" * 100_000),
        CALL.replace(b"[]", b'["' + b"x" * (ENTRY_BYTES_MAX - len(CALL) - 1) + b'"]'),
    ],
    ids=["very deep", "too long"],
)
def test_large_blocks_that_are_none(block: bytes) -> None:
    with pytest.raises(ProvedFalseError):
        decode(block)
    with pytest.raises(IsFalse):
        read_entry(block)


def test_the_longest_entry() -> None:
    block = CALL.replace(b"[]", b'["' + b"x" * (ENTRY_BYTES_MAX - len(CALL) - 2) + b'"]')
    assert len(block) == ENTRY_BYTES_MAX
    assert encode(decode(block)) == block
    assert read_entry(block)["methodName"] == "f"


@pytest.mark.parametrize(
    ("text", "levels"),
    [("1", 0), ("[]", 1), ("[[1],{}]", 2), ('{"[[[":"\\"[["}', 1), ('[{"a":[{}]},[]]', 4)],
)
def test_depth(text: str, levels: int) -> None:
    assert depth(text) == levels
    assert deeper_than(text.encode(), levels - 1)
    assert not deeper_than(text.encode(), levels)


PIECES = [
    b'"',
    b"\\",
    b",",
    b":",
    b"{",
    b"}",
    b"[",
    b"]",
    b"0",
    b"-",
    b".",
    b"e",
    b" ",
    b"\n",
    b"2",
]
PIECES += [
    b"\\u00",
    b"\\ud8",
    b"\xc3\xa9",
    b"\xff",
    b"\x00",
    b"null",
    b"true",
    b'"v":2,',
    b'"gas":1,',
]


@given(st.data())
def test_both_readers_agree_on_damaged_entries(data: st.DataObject) -> None:
    block = data.draw(st.sampled_from([case.values[0] for case in cases("holds")]))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(block)))
        end = min(len(block), start + data.draw(st.integers(0, 3)))
        block = block[:start] + data.draw(st.sampled_from([b"", *PIECES])) + block[end:]
    assert ours(block) == independent(block)


def ours(block: bytes) -> str:
    try:
        decode(block)
    except ProvedFalseError:
        return "false"
    except CouldNotCheckError:
        return "unchecked"
    return "holds"


def independent(block: bytes) -> str:
    try:
        read_entry(block)
    except IsFalse:
        return "false"
    except NotChecked:
        return "unchecked"
    return "holds"


def test_the_independent_reader_is_independent() -> None:
    for path in Path(__file__).parent.glob("independent_*.py"):
        imports = [line for line in path.read_text().splitlines() if "import" in line.split()]
        assert imports
        assert not any("nodevms" in line for line in imports)
