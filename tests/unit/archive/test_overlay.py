import pytest
from state_worlds import Backend, folder, listing, sha

from nodevms.archive import EMPTY_ROOT, LimitExceededError, Overlay, PendingChange


def kinds(overlay: Overlay) -> list[tuple[str, str]]:
    return [(change.path, change.kind) for change in overlay.changes()]


def test_nothing_reaches_the_state_before_commit() -> None:
    backend = Backend()
    overlay, _ = backend.begin()
    overlay.put_folder("/d")
    overlay.put_file("/d/a", b"1")
    assert listing(backend.state) == []
    assert backend.state.root == EMPTY_ROOT
    assert backend.contents.read(0, 0) == b""
    record = overlay.get("/d/a")
    assert record is not None
    assert overlay.read("/d/a", record) == b"1"
    assert overlay.changes() == (
        PendingChange("/d", "folder", 0, bytes(32), None),
        PendingChange("/d/a", "file", 1, sha(b"1"), b"1"),
    )
    assert overlay.changed_paths() == ["/d", "/d/a"]
    changes = overlay.commit(1)
    assert [(change.path, change.kind) for change in changes] == [
        ("/d", "folder"),
        ("/d/a", "file"),
    ]
    assert listing(backend.state, "/d") == ["a"]
    assert (backend.state.seq, backend.state.version) == (1, 2)


def test_net_effect() -> None:
    backend = Backend()
    backend.call(lambda files: [files.write("/old/a", b"1"), files.write("/same", b"1")])
    overlay, files = backend.begin()
    files.write("/new", b"1")
    files.unlink("/new")
    files.mkdir("/gone")
    files.rmdir("/gone")
    files.write("/same", b"1")
    files.unlink("/old/a")
    files.write("/old/a", b"2")
    files.write("/last", b"1")
    files.write("/last", b"22")
    assert kinds(overlay) == [("/last", "file"), ("/old/a", "file"), ("/same", "file")]
    assert [change.data for change in overlay.changes()] == [b"22", b"2", b"1"]


def test_a_file_in_the_place_of_a_folder() -> None:
    backend = Backend()
    backend.call(lambda files: [files.write("/x/a"), files.write("/y")])
    overlay, files = backend.begin()
    files.rmdir("/x", {"recursive": True})
    files.write("/x", b"now a file")
    files.unlink("/y")
    files.mkdir("/y")
    assert kinds(overlay) == [("/x", "file"), ("/x/a", "deleted"), ("/y", "folder")]
    backend.length += 1
    overlay.commit(backend.length)
    assert listing(backend.state) == ["x", "y"]
    assert listing(backend.state, "/x") == []


def test_a_call_without_net_changes_leaves_the_state_alone() -> None:
    backend = Backend()

    def work(files: object) -> None:
        files.write("/new")  # type: ignore[attr-defined]
        files.unlink("/new")  # type: ignore[attr-defined]

    assert backend.call(work) == ()
    assert (backend.state.seq, backend.state.version) == (0, 0)


def test_equal_contents_of_a_call_are_stored_once_and_empty_ones_not_at_all() -> None:
    backend = Backend()
    changes = backend.call(
        lambda files: [files.write(f"/{n}", data) for n, data in enumerate([b"a", b"", b"a", b"b"])]
    )
    assert [change.block for change in changes] == [0, 1, 0, 1]
    assert [change.size for change in changes] == [1, 0, 1, 1]
    assert backend.contents.append(b"next") == 2


def test_copies_of_committed_files_share_their_blocks() -> None:
    backend = Backend()
    backend.call(lambda files: files.write("/a", b"x" * 70_000))
    changes = backend.call(lambda files: [files.copy("/a", "/b"), files.rename("/a", "/c")])
    assert [(change.path, change.kind, change.block) for change in changes] == [
        ("/a", "deleted", 0),
        ("/b", "file", 0),
        ("/c", "file", 0),
    ]
    assert backend.contents.append(b"next") == 2
    backend.call(lambda files: files.write("/d", b"new"))
    overlay, files = backend.begin()
    assert files.readFile("/c") == b"x" * 70_000
    files.write("/d", b"newer")
    files.copy("/d", "/e")
    assert files.readFile("/e") == b"newer"
    assert [change.data for change in overlay.changes()] == [b"newer", b"newer"]


def test_bytes_are_limited() -> None:
    backend = Backend(bytes_max=10)
    overlay, files = backend.begin()
    files.write("/a", b"1234567890")
    files.write("/a", b"12345")
    files.write("/b", b"12345")
    overlay.check_limits()
    with pytest.raises(LimitExceededError):
        overlay.put_file("/c", b"1")
    for again in (
        overlay.check_limits,
        lambda: overlay.put_folder("/d"),
        lambda: overlay.commit(1),
    ):
        with pytest.raises(LimitExceededError):
            again()
    assert kinds(overlay) == [("/a", "file"), ("/b", "file")]
    assert backend.state.version == 0


def test_paths_are_limited() -> None:
    backend = Backend(paths_max=2)
    backend.call(lambda files: files.write("/d/a"))
    overlay, files = backend.begin()
    files.write("/d/a", b"1")
    files.write("/d/a", b"2")
    files.write("/new")
    files.unlink("/new")
    with pytest.raises(LimitExceededError):
        overlay.delete("/d")
    with pytest.raises(LimitExceededError):
        overlay.commit(2)


def test_lists_through_the_overlay_in_pages() -> None:
    backend = Backend(paths_max=5_000)
    backend.length = 1
    backend.state.apply(1, [folder("/d")], 1)
    backend.call(lambda files: [files.write(f"/d/{n:04}") for n in range(0, 2000, 2)])
    overlay, files = backend.begin()
    for n in range(0, 2000, 3):
        if n % 2:
            files.write(f"/d/{n:04}")
        else:
            files.unlink(f"/d/{n:04}")
    expected = [f"{n:04}" for n in range(2000) if (n % 2 == 0) != (n % 3 == 0)]
    assert [name for name, _ in overlay.children("/d")] == expected
    files.write("/d/0001a")
    assert len(files.readdir("/d")) == len(expected) + 1
    files.rmdir("/d", {"recursive": True})
    assert list(overlay.children("/d")) == []
