"""Reading over HTTP against models: ranges, URLs, and folders page by page at every version."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodevms.archive import Change, InvalidPathError, Record, State, canonical_path, content_pieces
from nodevms.archive.record import block_count
from nodevms.rpc.files.address import Address, MalformedAddressError, link, parse_address
from nodevms.rpc.files.conditions import Selection, Validators, select

TAG = Validators('"t"', 1_600_000_000)
numbers = st.one_of(st.none(), st.integers(0, 400_000), st.integers(0, 10**30))


def header(**headers: str) -> Callable[[str], str | None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return named.get


@given(numbers, numbers, st.integers(0, 300_000))
@example(None, 0, 5)
@example(0, None, 0)
def test_a_range_is_the_slice_that_it_names(first: int | None, last: int | None, size: int) -> None:
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    selection = select(header(Range=text), TAG, size)
    everything = range(size)
    if first is None and last is None:
        expected = everything
    elif first is None:
        expected = everything[size - min(last or 0, size) :]
    elif last is None:
        expected = everything[first:]
    elif last < first:
        assert selection == Selection(200, 0, size)
        return
    else:
        expected = everything[first : last + 1]
    if first is None and last is None:
        assert selection == Selection(200, 0, size)
    elif expected:
        assert selection == Selection(206, expected.start, expected.stop)
    else:
        assert selection == Selection(416)


@given(st.text(max_size=60) | st.from_regex(r"bytes=[0-9, -]{0,12}", fullmatch=True))
def test_any_range_gives_bytes_of_the_file_or_a_refusal(text: str) -> None:
    selection = select(header(Range=text), TAG, 10)
    assert selection.status in (200, 206, 416)
    assert 0 <= selection.start <= selection.stop <= 10
    assert (selection.status == 416) == (selection.start == selection.stop)


@given(
    st.sampled_from(["If-None-Match", "If-Match", "If-Modified-Since", "If-Unmodified-Since"]),
    st.text(max_size=60)
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,4} [A-Z][a-z]{2} \d{1,20} \d\d:\d\d:\d\d \S{1,9}"),
)
def test_conditions_never_fail(name: str, text: str) -> None:
    assert select({name: text}.get, TAG, 10).status in (200, 304, 412)


@settings(max_examples=60)
@given(st.integers(0, 200_000), st.data())
def test_pieces_join_to_the_slice(size: int, data: st.DataObject) -> None:
    content = bytes(n * n % 251 for n in range(size))
    blocks = [content[at : at + 65_536] for at in range(0, size, 65_536)]
    record = Record("file", size, sha256(content).digest(), 0, 7, block_count(size))
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    pieces = list(content_pieces(lambda index: blocks[index - 7], record, start, stop))
    assert b"".join(pieces) == content[start:stop]
    assert all(pieces)


names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1
)
good_names = names.filter(lambda name: name not in (".", "..") and len(name.encode()) <= 255)
paths = st.lists(good_names, max_size=5)


@given(paths, st.booleans(), st.none() | st.integers(0, 10**12), good_names)
def test_every_path_has_a_url_that_means_it(
    components: list[str], as_folder: bool, version: int | None, after: str
) -> None:
    url = "/".join(quote(name, safe="") for name in components)
    if components and as_folder:
        url += "/"
    path = canonical_path("/" + "/".join(components))
    address = Address(path, as_folder or not components, version)
    assert parse_address(url, address.query().removeprefix("?")) == address
    listed = parse_address(url, address.query(after=after, format="json").removeprefix("?"))
    assert (listed.after, listed.format, listed.version) == (after, "json", version)
    if components:
        name = components[-1]
        assert set(link(name, is_folder=True)).isdisjoint(":?#")
        assert parse_address(link(name, is_folder=False), "").path == f"/{name}"


@given(st.text(st.sampled_from(list("a./%2fFeE0\\\0é?\udc80")), max_size=12), st.text(max_size=20))
def test_a_url_means_one_path_or_none(url: str, query: str) -> None:
    try:
        address = parse_address(url, query)
    except MalformedAddressError:
        return
    try:
        assert canonical_path(address.path) == address.path
    except InvalidPathError as error:
        raise AssertionError(address.path) from error
    assert "//" not in url
    assert url.rstrip("/").count("/") == max(address.path.count("/") - 1, 0)


few = st.sampled_from([f"n{n:03}" for n in range(400)])
steps = st.lists(st.tuples(st.lists(few, min_size=1, max_size=200, unique=True), st.booleans()))


@settings(max_examples=25)
@given(steps.filter(bool), st.integers(1, 300), st.integers(0, 6))
def test_a_folder_in_pages_is_the_folder_at_any_version(
    calls: list[tuple[list[str], bool]], limit: int, flushed: int
) -> None:
    there: set[str] = set()
    versions: list[set[str]] = [set()]
    with State.open(None) as state:
        for length, (touched, deletes) in enumerate(calls, 1):
            changes = []
            for name in sorted(touched):
                gone = deletes and name in there
                (there.discard if gone else there.add)(name)
                versions.append(set(there))
                hash_ = bytes(32) if gone else sha256(b"").digest()
                changes.append(Change(f"/{name}", "deleted" if gone else "file", 0, hash_, 0))
            state.apply(length, changes, length)
            if length == flushed:
                state.flush(length)
        for version in {0, 1, len(versions) // 2, len(versions) - 1}:
            found: list[str] = []
            after: str | None = ""
            while after is not None:
                page, after = state.children_up_to("/", version, after, limit)
                assert len(page) <= limit
                found += [name for name, _ in page]
            assert found == sorted(versions[version])
