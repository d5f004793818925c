"""What all files together may be: refused before anything is done, and the same after a rebuild."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from state_worlds import Backend, Files, Refused, open_state

from nodevms.archive import State, Totals


def full(limit: Totals) -> Backend:
    """Return a backend of 10 bytes and 4 paths."""
    backend = Backend()
    backend.call(lambda files: [files.write("/d/a", b"12345"), files.write("/d/b", b"12345")])
    backend.call(lambda files: [files.mkdir("/e")])
    assert backend.state.totals == Totals(10, 4)
    backend.limits["totals_max"] = limit
    return backend


def refusal(work: object) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        work()  # type: ignore[operator]
    assert caught.value.name == "QuotaExceededError"
    return caught.value.code or "", str(caught.value).partition(": ")[2]


def test_bytes_beyond_the_limit_are_refused_and_nothing_is_done() -> None:
    backend = full(Totals(12, 100))
    overlay, files = backend.begin()
    expected = ("ERR_ARCHIVE_BYTES", "The files would have 13 bytes; 12 are allowed")
    assert refusal(lambda: files.write("/new/folder/c", b"123")) == expected
    assert refusal(lambda: files.write("/d/a", b"12345678")) == expected
    assert refusal(lambda: files.copy("/d/a", "/d/c"))[1].startswith("The files would have 15 ")
    assert refusal(lambda: files.copy("/d", "/f"))[1].startswith("The files would have 20 ")
    assert overlay.changes() == ()
    files.write("/d/a", b"1234567")
    assert refusal(lambda: files.write("/d/c", b"1"))[0] == "ERR_ARCHIVE_BYTES"
    files.write("/d/c", b"")
    files.unlink("/d/b")
    files.write("/d/c", b"12345")
    overlay.commit(backend.length + 1)
    assert backend.state.totals == Totals(12, 4)


def test_paths_beyond_the_limit_are_refused_and_nothing_is_done() -> None:
    backend = full(Totals(100, 5))
    overlay, files = backend.begin()
    expected = ("ERR_ARCHIVE_PATHS", "There would be 6 files and folders; 5 are allowed")
    assert refusal(lambda: files.write("/new/a")) == expected
    assert refusal(lambda: files.copy("/d", "/e/d"))[1].startswith("There would be 7 ")
    assert overlay.changes() == ()
    files.mkdir("/f")
    assert refusal(lambda: files.mkdir("/g")) == expected
    assert refusal(lambda: files.copy("/d/a", "/g")) == expected
    files.write("/d/a", b"longer than before")
    files.copy("/d/a", "/d/b")
    files.rmdir("/d", {"recursive": True})
    files.mkdir("/g")


def test_a_move_makes_nothing_more() -> None:
    backend = full(Totals(10, 4))
    backend.call(lambda files: [files.rename("/d/a", "/e/a"), files.rename("/d", "/e/d")])
    assert backend.state.totals == Totals(10, 4)


def test_copies_of_new_contents_count_as_well() -> None:
    backend = full(Totals(15, 10))
    _, files = backend.begin()
    files.write("/x", b"123")
    assert (
        refusal(lambda: files.copy("/x", "/y"))[1]
        == "The files would have 16 bytes; 15 are allowed"
    )
    files.write("/x", b"12")
    files.copy("/x", "/y")


def test_more_than_the_limit_may_shrink_and_be_moved_and_not_grow() -> None:
    backend = full(Totals(1, 1))
    backend.call(lambda files: [files.write("/d/a", b"1234"), files.rename("/d", "/f")])
    _, files = backend.begin()
    assert refusal(lambda: files.write("/f/a", b"12345"))[0] == "ERR_ARCHIVE_BYTES"
    assert refusal(lambda: files.write("/f/c"))[0] == "ERR_ARCHIVE_PATHS"
    assert backend.state.totals == Totals(9, 4)


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "mkdir", "unlink", "rmdir", "copy", "rename"]),
        st.sampled_from(["/a", "/b", "/a/c", "/b/c", "/a/c/d"]),
        st.sampled_from(["/a", "/b", "/a/c", "/b/c", "/a/c/d"]),
        st.integers(0, 6),
    ),
    max_size=30,
)


def work(files: Files, name: str, path: str, target: str, size: int) -> None:
    try:
        if name == "write":
            files.write(path, bytes(size))
        elif name == "rmdir":
            files.rmdir(path, {"recursive": size > 2})
        elif name in {"copy", "rename"}:
            getattr(files, name)(path, target)
        else:
            getattr(files, name)(path)
    except Refused:
        pass


def counted(state: State, folder: str = "/") -> Totals:
    size = paths = 0
    for name, record in state.children(folder):
        below = (
            Totals() if record.kind == "file" else counted(state, f"{folder.rstrip('/')}/{name}")
        )
        size, paths = size + record.size + below.bytes, paths + 1 + below.paths
    return Totals(size, paths)


@given(st.lists(OPERATIONS, max_size=6), st.integers(0, 3))
def test_the_totals_are_those_of_all_files(
    calls: list[list[tuple[str, str, str, int]]], flushed: int
) -> None:
    backend = Backend(totals_max=Totals(12, 5))  # type: ignore[arg-type]
    for number, operations in enumerate(calls):
        backend.call(lambda files, all=operations: [work(files, *each) for each in all])
        totals = backend.state.totals
        assert totals == counted(backend.state)
        assert totals.bytes <= 12
        assert totals.paths <= 5
        if number == flushed:
            backend.state.flush(backend.length)
    backend.state.flush(backend.length)
    assert backend.state.totals == counted(backend.state)


def test_they_are_kept_in_the_index_and_forgotten_with_what_was_not_written(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    backend = Backend(open_state(path))
    backend.call(lambda files: [files.write("/d/a", b"12345")])
    backend.state.flush(backend.length)
    backend.call(lambda files: [files.write("/d/b", b"1")])
    assert backend.state.totals == Totals(6, 3)
    backend.state.discard_pending()
    assert backend.state.totals == Totals(5, 2)
    backend.state.close()
    state = open_state(path)
    assert state.totals == Totals(5, 2)
    state.reset()
    assert state.totals == Totals()
