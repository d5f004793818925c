"""Parameter names from source texts."""

from __future__ import annotations

import pytest

from nodevms.sandbox.parameters import PARAMETERS_MAX, parameter_names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("(a, b) => 1", ("a", "b")),
        ("() => 1", ()),
        ("x => 1", ("x",)),
        ("async x => 1", ("x",)),
        ("async (a) => 1", ("a",)),
        ("async function f(a, ...rest) {}", ("a", "rest")),
        ("function f(a /* , z */, b = 'x, y', {c}, [d], $e) {}", ("a", "b", "arg2", "arg3", "$e")),
        ("(a = 'http://x', b) => 1", ("a", "b")),
        ('f(a = `)`, b = "\\")", c) {}', ("a", "b", "c")),
        ("(a, // first\n b) => 1", ("a", "b")),
        ("f(a = g(1, [2, {x: 3}]), b) {}", ("a", "b")),
        ("class A { constructor(q) {} }", ("q",)),
        ("function bound f() { [native code] }", ()),
        ("", ()),
        ("(a, b", ("a", "b")),
    ],
)
def test_names(source: str, names: tuple[str, ...]) -> None:
    assert parameter_names(source) == names


def test_there_is_an_end_to_them() -> None:
    assert len(parameter_names(f"({'a,' * 1000}) => 1")) == PARAMETERS_MAX


@pytest.mark.parametrize(
    "pattern", ["/*", "\"'", "\\'", "'\\", "`", "(", "f(", " ", "async ", "a,", "=>", "${"]
)
def test_hostile_text_takes_one_pass(pattern: str) -> None:
    # A hundred times the length that the guest gives: quadratic work would reach the timeout.
    for before, after in (("async ", ""), ("f(", "{"), ("f(...", "{")):
        parameter_names(before + pattern * (400_000 // len(pattern)) + after)
