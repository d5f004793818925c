import sqlite3
import threading
from pathlib import Path

import pytest
from state_worlds import deleted, file, folder, listing, open_state, sha

from nodevms.archive import (
    EMPTY_ROOT,
    Change,
    InvalidChangesError,
    State,
    UnknownVersionError,
    remove_index,
    verify_proof,
)
from nodevms.archive.record import path_key
from nodevms.archive.tree import naive_root
from nodevms.errors import LocalProtocolError, StorageError


def naive(state: State, folder_path: str = "/") -> list[tuple[bytes, bytes]]:
    leaves = []
    for name, record in state.children(folder_path):
        path = f"{folder_path.rstrip('/')}/{name}"
        leaves.append((path_key(path), sha(record.value.encode())))
        leaves += naive(state, path)
    return leaves


def test_starts_empty() -> None:
    state = open_state()
    assert (state.seq, state.version, state.root) == (0, 0, EMPTY_ROOT)
    assert sha(b"\x02") == EMPTY_ROOT
    assert state.get("/") is None
    assert state.get("/a/b") is None
    assert listing(state) == []
    assert state.history() == []
    assert verify_proof(state.root, "/a", state.prove("/a")) is None


def test_version_counts_items_and_seq_counts_entries() -> None:
    state = open_state()
    root = state.apply(3, [folder("/a"), file("/a/b", b"x")], 7)
    assert root == state.root
    assert (state.seq, state.version) == (3, 2)
    assert state.apply(4, [], 8) == root
    assert (state.seq, state.version) == (4, 2)
    record = state.get("/a/b")
    assert record is not None
    assert (record.kind, record.size, record.sha256, record.mtime_ms) == ("file", 1, sha(b"x"), 7)
    with pytest.raises(LocalProtocolError):
        state.apply(4, [file("/c")], 9)


@pytest.mark.parametrize("flushed", [False, True])
def test_reads_see_the_newest_wherever_it_is(flushed: bool) -> None:
    state = open_state()
    state.apply(1, [folder("/a"), file("/a/x", b"1"), file("/a/y", b"1")], 1)
    state.flush(1)
    state.apply(2, [deleted("/a/x"), file("/a/y", b"22"), file("/a/z", b"3")], 2)
    if flushed:
        state.flush(2)
    assert listing(state, "/a") == ["y", "z"]
    assert state.get("/a/x") is None
    assert [record.size for _, record in state.children("/a")] == [2, 1]
    assert listing(state) == ["a"]
    assert state.root == naive_root(naive(state))


def test_names_come_in_the_order_of_their_bytes() -> None:
    names = ["\U0001f600", "z", "é", "a", "\uffff", "A", "a0", "a ", "~"]
    state = open_state()
    state.apply(1, [file(f"/{name}") for name in sorted(names)], 1)
    expected = sorted(names, key=str.encode)
    assert listing(state) == expected
    state.flush(1)
    assert listing(state) == expected


@pytest.mark.parametrize("flush_at", [0, 3, 7])
def test_pages_of_a_large_folder(flush_at: int) -> None:
    state = open_state()
    there = set()
    for length in range(1, 8):
        changes = []
        for n in range(length % 3, 1500, length + 1):
            path = f"/{n:04}"
            changes.append(deleted(path) if path in there else file(path))
            there ^= {path}
        state.apply(length, changes, length)
        if length == flush_at:
            state.flush(length)
    expected = sorted(path[1:] for path in there)
    assert len(expected) > 512
    assert listing(state) == expected
    assert [name for name, _ in state.children_at("/", state.version)] == expected
    for after in ("", "0003", "0700", "1499"):
        page = [name for name, _ in state.children_page("/", after)]
        assert page == [name for name in expected if name > after][:256]


def test_flush_writes_only_what_is_synced(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = open_state(path)
    first = state.apply(1, [file("/a", b"1")], 1)
    second = state.apply(2, [file("/a", b"22"), file("/b")], 2)
    state.flush(1)
    assert (state.seq, state.root) == (2, second)
    assert listing(state) == ["a", "b"]
    state.close()
    again = open_state(path)
    assert (again.seq, again.version, again.root) == (1, 1, first)
    assert listing(again) == ["a"]
    assert again.apply(2, [file("/a", b"22"), file("/b")], 2) == second
    again.flush(2)
    again.close()
    assert open_state(path).root == second


def test_length_without_changes_is_recorded_when_forced_or_due(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    lengths: list[int] = []
    for length, force in ((999, False), (999, True), (1998, False), (1999, False)):
        state = open_state(path)
        state.flush(length, force=force)
        assert state.seq == (length if force or length == 1999 else lengths[-1] if lengths else 0)
        state.close()
        lengths.append(open_state(path).seq)
    assert lengths == [0, 999, 999, 1999]


def test_a_flush_records_the_length_that_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with open_state(path) as state:
        state.apply(1, [file("/a")], 1)
        state.flush(5)
        assert state.seq == 5
    with open_state(path) as state:
        assert (state.seq, state.version) == (5, 1)
        with pytest.raises(LocalProtocolError):
            state.apply(5, [file("/b")], 2)
        state.apply(9, [file("/b")], 2)
        state.flush(7, force=True)
        assert state.seq == 9
    assert open_state(path).seq == 7


def test_discarding_goes_back_to_the_index() -> None:
    state = open_state()
    first = state.apply(1, [file("/a", b"1")], 1)
    state.apply(2, [file("/a", b"22")], 2)
    state.flush(1)
    state.apply(3, [file("/b")], 2)
    state.discard_pending()
    assert (state.seq, state.version, state.root) == (1, 1, first)
    assert listing(state) == ["a"]
    record = state.get("/a")
    assert record is not None
    assert record.size == 1
    # Ids and caches of what was thrown away must not shine through.
    state.apply(2, [file("/b"), file("/c")], 5)
    state.flush(2)
    assert state.root == naive_root(naive(state))


def test_a_failed_write_leaves_everything_pending(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = open_state(path)
    state.apply(1, [file("/a", b"1")], 1)
    state.flush(1)
    root = state.apply(2, [folder("/d"), file("/d/b")], 2)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("CREATE TRIGGER full BEFORE INSERT ON node BEGIN SELECT raise(FAIL, 'no'); END")
    with pytest.raises(StorageError):
        state.flush(2)
    assert listing(state) == ["a", "d"]
    blocker.execute("DROP TRIGGER full")
    blocker.close()
    state.flush(2)
    state.close()
    again = open_state(path)
    assert (again.seq, again.root) == (2, root)
    assert listing(again, "/d") == ["b"]


def test_reset_empties(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = open_state(path)
    state.apply(1, [folder("/a"), file("/a/b", b"1")], 1)
    state.flush(1)
    state.apply(2, [file("/c")], 1)
    state.reset()
    assert (state.seq, state.version, state.root) == (0, 0, EMPTY_ROOT)
    assert state.get("/a/b") is None
    assert listing(state) == []
    assert state.history() == []
    state.apply(1, [folder("/a"), file("/a/c", b"1")], 1)
    state.flush(1)
    assert listing(state, "/a") == ["c"]
    state.close()
    assert listing(open_state(path), "/a") == ["c"]


@pytest.mark.parametrize("flush_at", [0, 2, 5])
def test_the_past_stays_readable(flush_at: int) -> None:
    state = open_state()
    steps = [
        [folder("/d"), file("/d/a", b"1"), file("/x", b"1")],
        [file("/d/a", b"22")],
        [deleted("/d"), deleted("/d/a"), file("/y")],
        [folder("/d"), file("/d/a", b"333"), file("/d/b")],
        [Change("/d", "file", 0, sha(b"")), deleted("/d/a"), deleted("/d/b")],
    ]
    snapshots = []
    for length, changes in enumerate(steps, 1):
        state.apply(length, changes, length)
        if length == flush_at:
            state.flush(length)
        inside = [(name, record.size) for name, record in state.children("/d")]
        snapshots.append((state.version, listing(state), inside))
    for length, (version, top, inside) in enumerate(snapshots, 1):
        assert state.version_at(length) == version
        assert [name for name, _ in state.children_at("/", version)] == top
        assert [(n, r.size) for n, r in state.children_at("/d", version)] == inside
        record = state.record_at("/d/a", version)
        assert (None if record is None else record.size) == dict(inside).get("a")
    assert state.version_at(0) == 0
    assert state.version_at(99) == state.version
    assert state.record_at("/d/a", 0) is None
    assert list(state.children_at("/", 0)) == []
    for version in (-1, state.version + 1):
        with pytest.raises(UnknownVersionError):
            state.record_at("/d", version)
        with pytest.raises(UnknownVersionError):
            list(state.children_at("/", version))


@pytest.mark.parametrize("flush_at", [0, 1, 2, 3])
def test_history(flush_at: int) -> None:
    state = open_state()
    state.apply(1, [folder("/d"), file("/d/a", b"1")], 1)
    state.apply(5, [file("/d/a", b"2")], 2)
    if flush_at:
        state.flush(5)
    state.apply(6, [deleted("/d/a")], 3)
    if flush_at > 1:
        state.flush(6)

    def versions(path: str | None = None, **options: object) -> list[int]:
        return [item.version for item in state.history(path, **options)]  # type: ignore[arg-type]

    items = state.history()
    assert [(item.version, item.seq, item.path) for item in items] == [
        (1, 0, "/d"),
        (2, 0, "/d/a"),
        (3, 4, "/d/a"),
        (4, 5, "/d/a"),
    ]
    assert [item.record is None for item in items] == [False, False, False, True]
    assert versions(reverse=True) == [4, 3, 2, 1]
    assert versions(start=2, end=4) == [2, 3]
    assert versions(start=2, end=4, reverse=True) == [3, 2]
    assert versions(limit=2) == [1, 2]
    assert versions(limit=3, reverse=True) == [4, 3, 2]
    assert versions(limit=0) == []
    assert versions("/d/a") == [2, 3, 4]
    assert versions("/d/a", limit=1, reverse=True) == [4]
    assert versions("/never") == []
    assert versions(start=9) == []


BAD_CHANGES = {
    "out of order": [file("/b"), file("/a")],
    "twice": [file("/a"), file("/a")],
    "root": [folder("/")],
    "not canonical": [file("/a//b")],
    "relative": [file("a")],
    "dots": [file("/../a")],
    "deletes nothing": [deleted("/a")],
    "no parent": [file("/q/a")],
    "parent is a file": [file("/f/a")],
    "parent becomes a file": [file("/d"), deleted("/d/in"), file("/d/new")],
    "parent is deleted": [deleted("/d"), file("/d/in")],
    "left behind": [deleted("/d")],
    "left behind under a file": [file("/d")],
    "folder with size": [Change("/a", "folder", 1)],
    "folder with hash": [Change("/a", "folder", 0, sha(b""))],
    "deleted with block": [Change("/f", "deleted", 0, bytes(32), 1)],
    "negative size": [Change("/a", "file", -1, sha(b""))],
    "huge size": [Change("/a", "file", 2**53, sha(b""))],
    "short hash": [Change("/a", "file", 0, b"")],
    "kind": [Change("/a", "link", 0, sha(b""))],  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", BAD_CHANGES)
def test_refuses_changes_that_do_not_follow(name: str) -> None:
    state = open_state()
    root = state.apply(1, [folder("/d"), file("/d/in"), file("/f")], 1)
    with pytest.raises(InvalidChangesError):
        state.apply(2, BAD_CHANGES[name], 2)
    assert (state.seq, state.version, state.root) == (1, 3, root)
    state.flush(1)
    assert listing(state) == ["d", "f"]


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + bytes(4096)])
def test_says_that_a_file_is_no_index(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(StorageError) as caught:
        open_state(path)
    assert caught.value.code == "state-index-damaged"
    remove_index(path)
    assert open_state(path).seq == 0


@pytest.mark.parametrize(
    "damage",
    [
        "PRAGMA user_version = 4",
        "PRAGMA application_id = 1",
        "DROP TABLE meta",
        "DELETE FROM meta",
        "UPDATE meta SET root = x'01'",
        "UPDATE meta SET root = 7",
        "DELETE FROM node",
        "UPDATE node SET body = x'00'",
        "UPDATE node SET body = CAST(body || x'00' AS BLOB)",
        "UPDATE node SET body = CAST(x'ff' || substr(body, 2) AS BLOB)",
    ],
)
def test_notices_a_damaged_index(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.db"
    state = open_state(path)
    state.apply(1, [file("/a"), file("/b"), file("/c")], 1)
    state.flush(1)
    state.close()
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    with pytest.raises(StorageError) as caught:
        open_state(path)
    assert caught.value.code == "state-index-damaged"


@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM change", "DELETE FROM path", "DROP TABLE path", "UPDATE change SET kind = 9"],
)
def test_notices_damage_when_it_reads(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "state.db"
    state = open_state(path)
    state.apply(1, [file("/a"), file("/b")], 1)
    state.flush(1)
    state.close()
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    state = open_state(path)
    with pytest.raises(StorageError) as caught:
        state.prove("/a")
    assert caught.value.code == "state-index-damaged"


def test_a_path_as_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        open_state(tmp_path)
    assert caught.value.code == "state-index"


def test_deep_paths() -> None:
    state = open_state()
    paths = ["/a" * depth for depth in range(1, 2049)]
    root = state.apply(1, [folder(path) for path in paths], 1)
    state.flush(1)
    assert state.get(paths[-1]) is not None
    assert listing(state, paths[-2]) == ["a"]
    assert state.history(reverse=True, limit=1)[0].path == paths[-1]
    state.apply(2, [deleted(path) for path in paths], 2)
    assert state.root == EMPTY_ROOT
    assert root != EMPTY_ROOT


def test_small_caches_change_nothing() -> None:
    small, large = open_state(None, cache_max=4), open_state()
    for length in range(1, 60):
        paths = sorted({f"/{n * length % 97:02}" for n in range(5)})
        for state in (small, large):
            state.apply(length, [file(path, b"%d" % length) for path in paths], length)
            if length % 4 == 0:
                state.flush(length - 2)
        assert small.root == large.root
    assert list(small.children("/")) == list(large.children("/"))


def test_reads_are_right_between_the_write_and_its_settling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index has the changes already, and they still wait as well."""
    state = open_state(tmp_path / "state.db")
    state.apply(1, [file("/a", b"1"), file("/b", b"1")], 1)
    state.flush(1)
    state.apply(2, [file("/a", b"22"), deleted("/b"), file("/c")], 2)
    state.apply(3, [file("/c", b"333")], 3)
    writer = state._writer
    write = writer.write
    seen: list[object] = []

    def look() -> list[object]:
        return [
            [(item.version, item.path) for item in state.history()],
            [item.version for item in state.history(reverse=True, limit=3)],
            [(name, record.size) for name, record in state.children("/")],
            [state.get("/b"), state.record_at("/c", 5), state.record_at("/b", 2)],
            [name for name, _ in state.children_at("/", 4)],
            [state.version_at(length) for length in range(4)],
            state.root,
            verify_proof(state.root, "/c", state.prove("/c")),
        ]

    def write_and_look(layer: object, mark: int) -> None:
        write(layer, mark)  # type: ignore[arg-type]
        seen.append(look())

    monkeypatch.setattr(writer, "write", write_and_look)
    before = look()
    state.flush(2)
    assert seen == [before]
    assert look() == before
    state.flush(3)
    assert look() == before


def test_readers_beside_a_writer_and_a_flusher_see_whole_states(tmp_path: Path) -> None:
    """Each entry gives both files the same size; a reader of one path never goes back in time."""
    state = open_state(tmp_path / "state.db", cache_max=8)
    state.apply(1, [folder("/d"), *(file(f"/d/{n:03}") for n in range(300))], 1)
    lengths = 400
    stop = threading.Event()
    failures: list[BaseException] = []

    def guard(work: object) -> None:
        try:
            while not stop.is_set():
                work()  # type: ignore[operator]
        except BaseException as error:
            failures.append(error)

    last = [0]

    def read() -> None:
        record = state.get("/d/007")
        assert record is not None
        assert record.size >= last[0]
        last[0] = record.size
        root, proof = state.prove_with_root("/d/007")
        value = verify_proof(root, "/d/007", proof)
        assert value is not None
        assert value.size >= record.size
        assert len(list(state.children("/d"))) == 300
        version = state.version
        pair = [state.record_at(f"/d/{name}", version) for name in ("007", "250")]
        assert len({record.size for record in pair if record is not None}) == 1

    threads = [threading.Thread(target=guard, args=(read,)) for _ in range(2)]
    threads.append(threading.Thread(target=guard, args=(lambda: state.flush(state.seq),)))
    for thread in threads:
        thread.start()
    for length in range(2, lengths):
        state.apply(length, [file("/d/007", bytes(length)), file("/d/250", bytes(length))], length)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    state.flush(lengths)
    assert state.root == naive_root(naive(state))


def test_a_mark_is_kept_with_the_length_that_it_belongs_to(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with State.open(path) as state:
        assert state.mark == 0
        state.set_mark(7)
        state.apply(8, [], 1)
        state.flush(8)
        state.set_mark(9)  # never flushed
    with State.open(path) as state:
        assert (state.seq, state.mark) == (8, 7)
        state.reset()
        assert state.mark == 0
