"""Operations on JSON text without parsing it."""

from __future__ import annotations

import json

import pytest

from nodevms.json_text import compact, deeper_than, hide_surrogates, outline, show_surrogates


def test_compact_returns_text_without_whitespace_as_it_is() -> None:
    text = b'{"a":[1,"\\u0020"]}'
    assert compact(text) is text


def test_compact_keeps_whitespace_in_strings() -> None:
    assert compact(b' [ "a  b" , "\\" , \\\\" ,\n1 ] ') == b'["a  b","\\" , \\\\",1]'


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        (b"1", 0),
        (b"[]", 1),
        (b"[[],[],[{}]]", 3),
        (b'["[[[[", {"]]": 1}]', 2),
        (b'["\\"[", "\\\\", [1]]', 2),
    ],
)
def test_depth_counts_brackets_outside_strings(text: bytes, depth: int) -> None:
    assert not deeper_than(text, depth)
    if depth:
        assert deeper_than(text, depth - 1)


def test_outline_replaces_what_is_nested() -> None:
    text = b'{"a":[1,[2]],"b":"[{","c":{"d":{}},"id":7}'
    assert json.loads(outline(text)) == {"a": 0, "b": "[{", "c": 0, "id": 7}


def test_surrogate_escapes_are_hidden_and_shown_again() -> None:
    text = b'["\\ud800","\\\\ud800","\\uDFFF\\u0041","\\ud7ff"]'
    hidden = hide_surrogates(text)
    assert hidden == b'["\xffud800","\\\\ud800","\xffuDFFF\\u0041","\\ud7ff"]'
    assert show_surrogates(hidden) == text
