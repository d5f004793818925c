from __future__ import annotations

import tracemalloc

import pytest

from nodevms.vm.script import Script
from nodevms.vm.source_text import FRAME_CHARACTERS_MAX, FRAMES_MAX, SourceText


def source(code: str) -> SourceText:
    return SourceText(Script("my.js", code))


def under_caret(excerpt: str) -> str:
    """Return the character that the caret points at, as a program that counts characters sees it."""
    line, caret = excerpt.split("\n")
    return line[len(caret) - 1 :]


@pytest.mark.parametrize(
    ("code", "place", "shown"),
    [
        ("let a = b", (1, 9), "let a = b\n        ^"),
        ("\tx\t= y", (1, 6), "\tx\t= y\n\t \t  ^"),
        ("'日本' + y", (1, 8), "'日本' + y\n" + " " * 9 + "^"),
        ("'e\u0301' + y", (1, 8), "'e\u0301' + y\n" + " " * 6 + "^"),
        ("/* \x1b[2J\u202e */ y", (1, 13), "/* \\x1b[2J\\u202e */ y\n" + " " * 20 + "^"),
        ("exports.f = () => {", (1, 20), "exports.f = () => {\n" + " " * 19 + "^"),
        ("\ufeffa\r\nb\r\n", (2, 1), "b\n^"),
    ],
)
def test_a_caret_stands_below_its_character(code: str, place: tuple[int, int], shown: str) -> None:
    assert source(code).excerpt(*place) == shown


@pytest.mark.parametrize("place", [(0, 1), (3, 1), (1, 0), (1, 12), (2, 1)])
def test_a_place_that_is_not_there_or_empty_is_not_shown(place: tuple[int, int]) -> None:
    assert source("let a = b;\n  ").excerpt(*place) is None


@pytest.mark.parametrize("column", [1, 50, 61, 100, 5000, 9999, 10_000])
def test_a_long_line_is_cut_around_the_column(column: int) -> None:
    line = "".join(chr(0x4E00 + i) if i % 7 == 0 else chr(0x61 + i % 26) for i in range(10_000))
    excerpt = source(line).excerpt(1, column)
    assert excerpt is not None
    shown, caret = excerpt.split("\n")
    assert len(shown.strip("…")) == 100
    assert shown.startswith("…") == (column > 61)
    assert shown.endswith("…") == (column < 9961)
    start = max(0, min(column - 61, 9900))
    before = line[start : column - 1]
    width = sum(2 if ord(c) > 0x3000 else 1 for c in before) + (column > 61)
    assert caret == " " * width + "^"


def test_the_engine_s_columns_of_bytes_become_columns_of_characters() -> None:
    text = source("let é = '😀日'; f()")
    assert text.column(1, 17 + 6) == 17
    assert text.readable("    at g (script.js:1:23)") == "    at g (my.js:1:17)"
    assert text.place("    at parse (native)\n    at g (script.js:1:23)") == (1, 17)
    assert under_caret(source("let é = 'a'; f()").excerpt(1, 14) or "") == "f()"


def test_only_frames_are_renamed() -> None:
    text = "script.js:1:2 is no frame\n    at script.js:1:2 said the script\n    at script.js:1:2"
    assert source("abc").readable(text) == text.removesuffix("script.js:1:2") + "my.js:1:2"


def test_the_constructor_of_an_error_is_passed_over() -> None:
    code = "class A extends Error {}\nclass B extends A { constructor (m) { super(m) } }\nthrow new B('x')"
    stack = "    at A (script.js:1:1)\n    at B (script.js:2:45)\n    at g (script.js:3:11)"
    assert source(code).place(stack) == (3, 11)
    assert source("class A { constructor () { f() } }\nnew A()").place(
        "    at A (script.js:1:28)\n    at g (script.js:2:5)"
    ) == (1, 28)


def test_hostile_stacks_are_bounded() -> None:
    frames = source("x").frames("    at f (script.js:1:1)\n" * 60_000)
    assert frames.count("\n") == FRAMES_MAX
    assert frames.endswith(f"… {60_000 - FRAMES_MAX} more")
    assert len(source("x").frames("x" * 65_536)) == FRAME_CHARACTERS_MAX + 1
    assert source("x").place("    at f (script.js:99999999999:1)") is None
    assert source("x").place("    at f (script.js:9999999:9999999)") == (9_999_999, 1)
    assert source("x").frames(None) == ""


@pytest.mark.parametrize("character", ["a", "é", "日", "😀"])
def test_the_columns_of_a_long_line(character: str) -> None:
    code = "".join(character if n % 3 else "x" for n in range(2_000))
    text, data = source(code), code.encode()
    for offset in [*range(len(data) + 1), len(data) + 9]:
        before = data[:offset].decode("utf-8", "ignore")
        assert text.column(1, offset + 1) == len(before) + 1


def test_to_name_many_places_of_a_long_line_is_little_work() -> None:
    text = source("é" * 500_000)
    assert text.column(1, 900_001) == 450_001  # what is made once is made
    tracemalloc.start()
    try:
        printed = text.readable("    at f (script.js:1:900003)")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert printed == "    at f (my.js:1:450002)"
    assert peak_bytes < 50_000


def test_what_nobody_caught_gets_its_line() -> None:
    text = "Uncaught (in promise) Error: a\nb\n    at g (script.js:2:7)\n    at h (script.js:1:1)"
    told = "Uncaught (in promise) Error: a\nb\nthrow x\n      ^\n    at g (my.js:2:7)\n    at h (my.js:1:1)"
    assert source("f()\nthrow x").printed("error", text) == told
    assert source("f()").printed("error", "Uncaught 5") == "Uncaught 5"
    assert source("f()").printed("error", "Error: a\n    at g (script.js:1:1)") == (
        "Error: a\n    at g (my.js:1:1)"
    )
