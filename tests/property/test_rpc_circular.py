"""Escaped answers, through the very parser that the npm client uses, come out as they went in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodevms.rpc.circular import escape, escape_string, parsed

PEERS = Path(__file__).parents[1] / "peers"
Parse = Callable[[str], object]

# The pieces that CircularJSON gives a meaning to, and something else between them.
PIECES = ["~", "\\", "\\x7e", "x7e", "a"]
TRICKY = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
STRINGS = TRICKY | st.text(st.characters(codec=None), max_size=8)
# A member called hasOwnProperty breaks the parser itself, whatever the value.
NAMES = STRINGS.filter(lambda name: name not in ("hasOwnProperty", "__proto__"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | STRINGS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def parse() -> Iterator[Parse]:
    """Parse a text as the npm client does."""
    beside = Path(sys.executable).parent / "node"
    program = str(beside) if beside.exists() else shutil.which("node")
    assert program, "node is not installed"
    with subprocess.Popen(
        [program, str(PEERS / "client_circular.js")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        write, read = process.stdin, process.stdout

        def ask(text: str) -> object:
            write.write(json.dumps(text) + "\n")
            write.flush()
            return json.loads(read.readline())

        yield ask
        process.communicate()


def has_a_spelling(value: str) -> bool:
    r"""Tell whether any string at all is parsed into ``value``.

    The parser turns at most one ``\x7e`` after no backslash into a tilde and takes at most one
    backslash away, both from the left. So of the ``\x7e`` that stand bare in the value before
    its first free tilde, there may be one, if no ``\\x7e`` is before it.
    """
    bare, protected, index = 0, 0, 0
    while index < len(value):
        backslashes = len(value[index:]) - len(value[index:].lstrip("\\"))
        after = value[index + backslashes :]
        if backslashes == 0 and after.startswith("~"):
            return True
        if backslashes and after.startswith("x7e"):
            if backslashes == 1:
                bare += 1
                if bare > 1 or protected:
                    return False
            else:
                protected += 1
        index += backslashes + 1
    return True


def all_can_arrive(value: object) -> bool:
    if isinstance(value, str):
        return has_a_spelling(value)
    if isinstance(value, dict):
        return all(map(all_can_arrive, value.values()))
    return not isinstance(value, list) or all(map(all_can_arrive, value))


@settings(max_examples=300, deadline=None)
@given(value=VALUES)
def test_values_arrive_as_they_are(parse: Parse, value: object) -> None:
    for ascii_only in (True, False):
        text = json.dumps({"result": value}, ensure_ascii=ascii_only)
        if not ascii_only and any("\ud800" <= character <= "\udfff" for character in text):
            continue
        arrived = parse(escape(text.encode()).decode())
        if all_can_arrive(value):
            assert arrived == {"result": value}


def test_every_short_string_of_the_special_pieces_arrives(parse: Parse) -> None:
    strings = ["".join(pieces) for size in range(5) for pieces in product(PIECES, repeat=size)]
    answer = parse(json.dumps([escape_string(string) for string in strings]))
    assert isinstance(answer, list)
    lost = {string for string, arrived in zip(strings, answer, strict=True) if arrived != string}
    assert lost == {string for string in strings if not has_a_spelling(string)}
    assert "\\x7e\\x7e" in lost


def test_our_copy_of_the_parsers_rule_is_right(parse: Parse) -> None:
    strings = ["".join(pieces) for size in range(5) for pieces in product(PIECES, repeat=size)]
    ours = {string: parsed(string) for string in strings}
    plain = [string for string in strings if ours[string] is not None]
    assert parse(json.dumps(plain)) == [ours[string] for string in plain]
    assert all(string.startswith("~") for string in strings if ours[string] is None)


@given(value=VALUES)
def test_only_strings_with_special_pieces_are_written_anew(value: object) -> None:
    text = json.dumps(value).encode()
    if b"~" not in text and b"x7e" not in text:
        assert escape(text) == text


def test_the_captured_spellings() -> None:
    assert escape(b'{"result":"~foo"}') == b'{"result":"\\\\x7efoo"}'
    assert escape(b'{"result":"\\\\x7e"}') == b'{"result":"\\\\\\\\x7e"}'
    assert escape(b'{"~a" : "\\u007e"}') == b'{"~a" : "\\\\x7e"}'
