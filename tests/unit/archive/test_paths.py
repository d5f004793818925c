import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodevms.archive import InvalidPathError, canonical_path
from nodevms.archive.paths import component_count, is_inside, join_path, split_path

ACCEPTED = {
    "/": "/",
    "": "/",
    ".": "/",
    "//": "/",
    "/./.": "/",
    "photos/x": "/photos/x",
    "/photos/x": "/photos/x",
    "//photos///x/": "/photos/x",
    "./photos/./x/.": "/photos/x",
    "/.hidden": "/.hidden",
    "/...": "/...",
    "/..a/a..": "/..a/a..",
    "/a b/~{}[]\"'<>|?*:%2e%2e": "/a b/~{}[]\"'<>|?*:%2e%2e",
    "/é": "/é",
    "/e\u0301": "/e\u0301",
    "/\U0001f600": "/\U0001f600",
    "/\ufeff\u202e\u2028": "/\ufeff\u202e\u2028",
    "/" + "n" * 255: "/" + "n" * 255,
    "/" + "é" * 127: "/" + "é" * 127,
    "/a" * 2048: "/a" * 2048,
}
REFUSED = [
    "..",
    "/..",
    "/../etc",
    "/a/../b",
    "a/..",
    "/a\\b",
    "\\",
    "/a\0b",
    "\0",
    "/a\nb",
    "/a\n",
    "/..\n",
    "/\x1f",
    "/\x7f",
    "/\x80",
    "/\x9f",
    "/\ud800",
    "/\udc00\ud800",
    "/" + "n" * 256,
    "/" + "é" * 128,
    "/" * 4097,
    "/a" * 2048 + "/",
    "a/" * 2048 + "a",
    "a" * 10_000,
    "/" + "/".join(["é" * 100] * 30),
]


@pytest.mark.parametrize(("text", "path"), ACCEPTED.items())
def test_has_one_canonical_form(text: str, path: str) -> None:
    assert canonical_path(text) == path
    assert canonical_path(path) == path


@pytest.mark.parametrize("text", REFUSED)
def test_refuses(text: str) -> None:
    with pytest.raises(InvalidPathError):
        canonical_path(text)


def test_slashes_that_fall_away_count_towards_the_length_as_written() -> None:
    assert canonical_path("/a" + "/" * 4094) == "/a"
    with pytest.raises(InvalidPathError):
        canonical_path("/a" + "/" * 4095)
    # Relative, so the canonical form is one byte longer than what was written.
    assert len(canonical_path("a/" * 2047 + "b")) == 4096
    with pytest.raises(InvalidPathError):
        canonical_path("ab" + "/a" * 2047)


@given(st.text(st.characters(codec=None), max_size=40) | st.text("./\\ab\n\x7f\ud800", max_size=12))
def test_is_canonical_or_refused(text: str) -> None:
    try:
        path = canonical_path(text)
    except InvalidPathError:
        return
    assert canonical_path(path) == path
    assert path.startswith("/")
    names = path[1:].split("/") if path != "/" else []
    assert names == [name for name in text.split("/") if name not in {"", "."}]
    assert ".." not in names


@given(st.text("ab/.", max_size=10), st.text("ab/.", max_size=10))
def test_order_of_text_is_order_of_bytes(one: str, other: str) -> None:
    one, other = one + "\U0001f600", other + "\uffff"
    assert (one < other) == (one.encode() < other.encode())


def test_splits_and_joins() -> None:
    assert split_path("/a/b") == ("/a", "b")
    assert split_path("/a") == ("/", "a")
    assert split_path("/") == ("/", "")
    assert join_path("/", "a") == "/a"
    assert join_path("/a", "b") == "/a/b"
    assert [component_count(path) for path in ("/", "/a", "/a/b")] == [0, 1, 2]
    assert is_inside("/a/b", "/a")
    assert is_inside("/a", "/")
    assert not is_inside("/ab", "/a")
    assert not is_inside("/a", "/a")
