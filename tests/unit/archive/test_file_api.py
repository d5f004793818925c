import json

import pytest
from state_worlds import INFO, Backend, Files, Refused, request, sha

from nodevms.archive import ArchiveInfo, FileApi, Overlay
from nodevms.archive import file_gas as gas
from nodevms.errors import StorageError


@pytest.fixture
def backend() -> Backend:
    """/d/e/f, /d/g and /top were there before the call, at time 1000."""
    backend = Backend()

    def work(files: Files) -> None:
        files.write("/d/e/f", b"deep")
        files.write("/d/g", b"gg")
        files.write("/top", b"t")

    backend.call(work)
    return backend


@pytest.fixture
def files(backend: Backend) -> Files:
    return backend.begin()[1]


def tree(files: Files) -> object:
    return files.readdir("/", {"recursive": True})


TREE = ["d", "d/e", "d/e/f", "d/g", "top"]


def test_reads_and_writes(files: Files) -> None:
    assert files.readFile("/d/e/f") == b"deep"
    files.write("d//g", b"\0binary\xff\0")
    assert files.readFile("d/./g") == b"\0binary\xff\0"
    files.write("/empty", b"")
    assert files.readFile("/empty") == b""


def test_writing_makes_the_folders_on_the_way(backend: Backend) -> None:
    overlay, files = backend.begin()
    files.write("/photos/2026/x.png", b"p")
    assert [(change.path, change.kind) for change in overlay.changes()] == [
        ("/photos", "folder"),
        ("/photos/2026", "folder"),
        ("/photos/2026/x.png", "file"),
    ]


@pytest.mark.parametrize("end", ["/file/" + "n/" * 99 + "n", "/new/" + "n/" * 99 + "n"])
def test_looking_for_the_folders_on_the_way_is_cheap_where_hundreds_are_missing(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    way = "/w" * 100
    backend.call(lambda files: files.write(way + "/file", b""))
    overlay, files = backend.begin()
    found = []

    def get(path: str) -> object:
        found.append(Overlay.get(overlay, path))
        return found[-1]

    monkeypatch.setattr(overlay, "get", get)
    if end.startswith("/file"):
        with pytest.raises(Refused, match=r"ParentFolderDoesntExistError: .*/file is a file"):
            files.write(way + end)
    else:
        files.write(way + end)
        assert len(overlay.changes()) == 101
    # To look up what is missing costs as much as it is deep.
    assert found.count(None) <= 3


def test_stat(files: Files) -> None:
    folder = {"mode": 0o040755, "size": 0, "blocks": 0, "mtime": 1000, "ctime": 1000}
    assert files.stat("/d") == folder
    assert files.stat("/") == {**folder, "mtime": 0, "ctime": 0}
    file = {"mode": 0o100644, "size": 4, "blocks": 1, "mtime": 1000, "ctime": 1000}
    assert files.stat("d/e/f") == file
    files.write("/large", bytes(65_537))
    large = {"mode": 0o100644, "size": 65_537, "blocks": 2, "mtime": 1001, "ctime": 1001}
    assert files.stat("/large") == large


def test_exists(files: Files) -> None:
    answers = [files.exists(path) for path in ("/", "/d", "/d/e/f", "/d/x", "/top/x")]
    assert answers == [True, True, True, False, False]


def test_readdir(files: Files) -> None:
    assert files.readdir("/") == ["d", "top"]
    assert files.readdir("/d") == ["e", "g"]
    assert tree(files) == TREE
    assert files.readdir("d/", {"recursive": True}) == ["e", "e/f", "g"]
    assert files.readdir("/d/e", {"stat": True}) == [{"name": "f", "stat": files.stat("/d/e/f")}]
    both = files.readdir("/d", {"stat": 1, "recursive": "yes"})
    assert [item["name"] for item in both] == ["e", "e/f", "g"]
    assert files.readdir("/d", {"recursive": 0, "stat": ""}) == ["e", "g"]
    assert files.readdir("/d", None) == ["e", "g"]


def test_recursive_listing_is_sorted_by_whole_paths(files: Files) -> None:
    for path in ("/d.x", "/d-/a", "/é", "/\uffff", "/\U0001f600"):
        files.write(path)
    expected = [*TREE, "d.x", "d-", "d-/a", "é", "\uffff", "\U0001f600"]
    assert tree(files) == sorted(expected, key=str.encode)


def test_folders_come_and_go(files: Files) -> None:
    files.mkdir("/d/new")
    assert files.readdir("/d") == ["e", "g", "new"]
    files.rmdir("/d/new")
    files.rmdir("/d", {"recursive": True})
    assert tree(files) == ["top"]
    files.mkdir("/d")
    assert files.readdir("/d") == []


def test_unlink(files: Files) -> None:
    files.unlink("/d/e/f")
    assert tree(files) == ["d", "d/e", "d/g", "top"]
    files.rmdir("/d/e")


def test_copy(files: Files) -> None:
    files.copy("/top", "/d/copy")
    files.copy("/d", "/c")
    files.copy("/top", "/c/g")
    assert files.readFile("/c/g") == b"t"
    assert files.readFile("/d/g") == b"gg"
    assert files.readdir("/c", {"recursive": True}) == ["copy", "e", "e/f", "g"]
    assert files.readFile("/c/e/f") == b"deep"
    files.mkdir("/empty")
    files.copy("/d/e", "/empty")
    assert files.readdir("/empty") == ["f"]
    assert files.stat("/c/e")["mtime"] == 1001


def test_rename(files: Files) -> None:
    files.rename("/top", "/d/top")
    files.rename("/d", "/moved")
    assert tree(files) == ["moved", "moved/e", "moved/e/f", "moved/g", "moved/top"]
    assert files.readFile("/moved/e/f") == b"deep"
    assert files.readFile("/moved/top") == b"t"
    files.rename("/moved/e/f", "/moved/e/a-much-longer-name")
    assert files.readdir("/moved/e") == ["a-much-longer-name"]


REFUSALS = [
    ("NotFoundError", "readFile", "/no"),
    ("NotFoundError", "readFile", "/top/no"),
    ("NotAFileError", "readFile", "/d"),
    ("NotAFileError", "readFile", "/"),
    ("EntryAlreadyExistsError", "writeFile", "/d"),
    ("InvalidPathError", "writeFile", "/"),
    ("InvalidPathError", "writeFile", ""),
    ("InvalidPathError", "writeFile", "/new/"),
    ("InvalidPathError", "writeFile", "/top/"),
    ("ParentFolderDoesntExistError", "writeFile", "/top/a"),
    ("ParentFolderDoesntExistError", "writeFile", "/top/a/b"),
    ("NotFoundError", "stat", "/no"),
    ("NotFoundError", "readdir", "/no"),
    ("NotAFolderError", "readdir", "/top"),
    ("EntryAlreadyExistsError", "mkdir", "/d"),
    ("EntryAlreadyExistsError", "mkdir", "/top"),
    ("EntryAlreadyExistsError", "mkdir", "/"),
    ("ParentFolderDoesntExistError", "mkdir", "/no/a"),
    ("ParentFolderDoesntExistError", "mkdir", "/top/a"),
    ("NotFoundError", "unlink", "/no"),
    ("NotAFileError", "unlink", "/d"),
    ("NotAFileError", "unlink", "/"),
    ("NotFoundError", "rmdir", "/no"),
    ("NotAFolderError", "rmdir", "/top"),
    ("DestDirectoryNotEmpty", "rmdir", "/d"),
    ("DestDirectoryNotEmpty", "rmdir", "/d", {"recursive": False}),
    ("InvalidPathError", "rmdir", "/"),
    ("InvalidPathError", "rmdir", "/", {"recursive": True}),
    ("NotFoundError", "copy", "/no", "/new"),
    ("NotFoundError", "copy", "/no", "/no"),
    ("InvalidPathError", "copy", "/top", "/top"),
    ("InvalidPathError", "copy", "/d", "/d"),
    ("InvalidPathError", "copy", "/d", "/d/e/x"),
    ("InvalidPathError", "copy", "/", "/new"),
    ("InvalidPathError", "copy", "/d", "/"),
    ("DestDirectoryNotEmpty", "copy", "/top", "/d"),
    ("DestDirectoryNotEmpty", "copy", "/d/e", "/d"),
    ("EntryAlreadyExistsError", "copy", "/d", "/top"),
    ("ParentFolderDoesntExistError", "copy", "/top", "/no/a"),
    ("ParentFolderDoesntExistError", "copy", "/d", "/top/a"),
    ("NotFoundError", "rename", "/no", "/new"),
    ("InvalidPathError", "rename", "/d", "/d/x"),
    ("InvalidPathError", "rename", "/top", "/top"),
    ("InvalidPathError", "rename", "/", "/new"),
    ("EntryAlreadyExistsError", "rename", "/d/g", "/top"),
    ("DestDirectoryNotEmpty", "rename", "/top", "/d"),
    ("ParentFolderDoesntExistError", "rename", "/top", "/no/a"),
    *(
        ("InvalidPathError", operation, path)
        for operation in ("readFile", "writeFile", "stat", "exists", "readdir", "mkdir", "unlink")
        for path in ("/d/../top", "/a\0b", "a\\b", "x" * 10_000, "/" + "n" * 256, "\ud800")
    ),
    ("InvalidPathError", "rmdir", ".."),
    ("InvalidPathError", "copy", "/top", "/d/.."),
    ("InvalidPathError", "rename", "..", "/new"),
    ("InvalidPathError", "history", {"path": ".."}),
    ("TypeError", "readFile"),
    ("TypeError", "readFile", 7),
    ("TypeError", "readFile", None),
    ("TypeError", "readFile", {}),
    ("TypeError", "copy", "/top"),
    ("TypeError", "readdir", "/", 7),
    ("TypeError", "rmdir", "/d", True),
    ("TypeError", "history", "x"),
    ("TypeError", "history", {"path": 7}),
    ("TypeError", "history", {"start": "1"}),
    ("TypeError", "history", {"end": True}),
    ("TypeError", "history", {"limit": 1.5}),
    ("TypeError", "readdir", "/", {"a": {}}),
    ("TypeError", "constructor", "/"),
    ("TypeError", "", "/"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda r: f"{r[0]}-{r[1]}-{str(r[2:])[:30]}")
def test_refuses(backend: Backend, refusal: tuple[object, ...]) -> None:
    overlay, files = backend.begin()
    name, operation, *arguments = refusal
    data = b"data" if operation == "writeFile" else None
    with pytest.raises(Refused) as caught:
        getattr(files, str(operation))(*arguments, data=data)
    assert caught.value.name == name
    assert overlay.changes() == ()
    assert tree(files) == TREE


def test_an_empty_folder_is_not_replaced_by_a_file_or_a_rename(files: Files) -> None:
    files.mkdir("/empty")
    for operation, source in (("copy", "/top"), ("rename", "/top"), ("rename", "/d")):
        with pytest.raises(Refused) as caught:
            getattr(files, operation)(source, "/empty")
        assert caught.value.name == "EntryAlreadyExistsError"


def test_a_copy_whose_paths_become_too_long_changes_nothing(backend: Backend) -> None:
    deep = "/a" + "/" + "/".join(["n" * 200] * 20)
    backend.call(lambda files: files.write(deep))
    overlay, files = backend.begin()
    long = "/" + "l" * 250
    for operation in (files.copy, files.rename):
        with pytest.raises(Refused) as caught:
            operation("/a", long)
        assert caught.value.name == "InvalidPathError"
    assert overlay.changes() == ()


def test_history(backend: Backend) -> None:
    backend.call(lambda files: [files.unlink("/top"), files.write("/d/g", b"2")])
    _, files = backend.begin()
    files.write("/uncommitted")
    history = files.history({})
    assert history == [
        {"version": 1, "path": "/d", "type": "put"},
        {"version": 2, "path": "/d/e", "type": "put"},
        {"version": 3, "path": "/d/e/f", "type": "put"},
        {"version": 4, "path": "/d/g", "type": "put"},
        {"version": 5, "path": "/top", "type": "put"},
        {"version": 6, "path": "/d/g", "type": "put"},
        {"version": 7, "path": "/top", "type": "del"},
    ]
    assert files.history() == history
    assert files.history({"reverse": True}) == history[::-1]
    assert files.history({"start": 2, "end": 4.0}) == history[1:3]
    assert files.history({"path": "d//g"}) == [history[3], history[5]]
    assert files.history({"limit": 2, "reverse": 1}) == [history[6], history[5]]
    assert files.history({"start": -5, "end": 1e300}) == history
    assert files.history({"start": None, "path": None}) == history
    assert files.history({"limit": 10**30}) == history


def test_history_has_a_maximum() -> None:
    backend = Backend()
    for _ in range(3):
        backend.call(lambda files: [files.write(f"/{n}") for n in range(400)])
    _, files = backend.begin()
    assert len(files.history({"limit": 5_000})) == 1_000
    assert files.history({"start": 1_001})[0]["version"] == 1_001


def test_info_is_of_the_files_before_the_call(files: Files) -> None:
    files.write("/new")
    assert files.getInfo() == {
        "url": INFO.url,
        "key": "ab" * 32,
        "title": "Title",
        "version": 5,
        "isOwner": True,
    }


def test_any_title_is_answered(backend: Backend) -> None:
    overlay, _ = backend.begin()
    title = 'a"\n\ud800é'
    answer = FileApi(overlay, ArchiveInfo(INFO.url, title)).handle(
        request("getInfo"), lambda _: None
    )
    assert json.loads(answer)["value"]["title"] == 'a"\n?é'


MALFORMED = [
    b"",
    b"\0",
    b"null",
    b"{}",
    b"[]",
    b'"readFile"',
    b"[1]",
    b"[null]",
    b'["readFile"',
    b'["readFile","/top"]x',
    b'["readFile","/top",[]]',
    b'["readFile","/top",{"a":[]}]',
    b'["readFile","/top",1,2,3]',
    b'["readFile","/t\xffop"]',
    b'["readFile",NaN]',
    b'["readFile",Infinity]',
    b'["readFile",1' + b"0" * 400 + b"]",
    b'["readFile",1' + b"0" * 5_000 + b"]",
    b'["readFile","/top"]\0data',
    b'["readFile","/top"]\0',
    b'["writeFile","/top"]',
    b'["readFile","\t"]',
    b"\xef\xbb\xbf" + b'["readFile","/top"]',
    b"[" * 100_000,
    b'["readFile",' + b"[" * 500 + b"]" * 501,
    b'["readFile",' + b'{"a":' * 100_000,
    b'["nothing"]',
]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: repr(text[:40]))
def test_every_malformed_request_gets_the_same_answer(backend: Backend, text: bytes) -> None:
    overlay, _ = backend.begin()
    answer = FileApi(overlay, INFO).handle(text, backend.charge)
    assert answer == (b'{"error":{"name":"TypeError","message":"the file request is malformed"}}')
    assert overlay.changes() == ()


def test_answers_have_one_spelling(files: Files, backend: Backend) -> None:
    overlay, _ = backend.begin()
    api = FileApi(overlay, INFO)

    def ask(*parts: object) -> bytes:
        return api.handle(request(*parts), backend.charge)

    overlay.put_file('/é"\U0001f600', b"")
    assert ask("readdir", "/") == '{"value":["d","top","é\\"\U0001f600"]}'.encode()
    assert ask("readFile", "/top") == b'{"value":null}\0t'
    assert ask("exists", "/top") == b'{"value":true}'
    assert ask("mkdir", "/m") == b'{"value":null}'
    assert ask("stat", "/top") == (
        b'{"value":{"mode":33188,"size":1,"blocks":1,"mtime":1000,"ctime":1000}}'
    )
    assert ask("stat", "é/ü") == (
        '{"error":{"name":"NotFoundError","message":"/é/ü is not there"}}'.encode()
    )


class OutOfGas(Exception):
    """What the meter raises."""


def test_gas_is_charged_before_the_work(backend: Backend) -> None:
    def charges(*parts: object, data: bytes | None = None) -> list[int]:
        overlay, _ = backend.begin()
        taken: list[int] = []
        FileApi(overlay, INFO).handle(request(*parts, data=data), taken.append)
        assert taken[0] == gas.REQUEST + gas.REQUEST_BYTE * len(request(*parts, data=data))
        return [charge for charge in taken[1:] if charge]

    one, two, three = (gas.COMPONENT * n for n in (1, 2, 3))
    assert charges("readFile", "/d/e/f") == [three, gas.READ_BYTE * 4]
    assert charges("writeFile", "/top", data=b"123") == [gas.WRITE_BYTE * 3, one, gas.CHANGE]
    assert charges("writeFile", "/n/m/o", data=b"") == [three, 3 * gas.CHANGE]
    answered = gas.NAME_BYTE * (1 + 16)
    assert charges("readdir", "/d") == [one, *[gas.NAME, answered] * 2]
    assert charges("readdir", "/d", {"stat": True}) == [one, *[gas.NAME + gas.STAT, answered] * 2]
    assert charges("readdir", "/d", {"recursive": True}) == [
        *(one, gas.NAME, answered, gas.NAME, answered),
        *(gas.NAME, answered + gas.NAME_BYTE * 2),
    ]
    assert charges("rmdir", "/d") == [one, gas.NAME]
    assert charges("rmdir", "/d", {"recursive": True}) == [
        one,
        *[gas.NAME + gas.CHANGE] * 3,
        gas.CHANGE,
    ]
    assert charges("history", {"path": "/d/g"}) == [two, gas.NAME + two]
    assert charges("copy", "/top", "/d/x") == [one, two, gas.CHANGE]
    assert charges("rename", "/top", "/d/x") == [one, two, gas.CHANGE, gas.CHANGE]
    assert charges("exists", "/") == []
    assert charges("exists", "..") == []

    overlay, _ = backend.begin()
    api = FileApi(overlay, INFO)
    for text in (
        request("writeFile", "/new", data=b"1"),
        request("mkdir", "/new"),
        request("unlink", "/top"),
        request("rmdir", "/d", {"recursive": True}),
        request("rename", "/top", "/new"),
    ):
        taken = 0

        def charge(amount: int) -> None:
            nonlocal taken
            taken += amount
            if taken > gas.CHANGE:
                raise OutOfGas

        with pytest.raises(OutOfGas):
            api.handle(text, charge)
        assert overlay.changes() == ()


def test_gas_does_not_depend_on_what_is_on_disk_or_cached() -> None:
    totals = []
    for flush in (False, True):
        backend = Backend()
        for _ in range(3):
            backend.call(lambda files: [files.write(f"/d/{n}", b"x") for n in range(300)])
            backend.call(lambda files: [files.unlink(f"/d/{n}") for n in range(0, 300, 2)])
            if flush:
                backend.state.flush(backend.length)
        backend.call(lambda files: [files.readdir("/d"), files.history(), files.copy("/d", "/e")])
        backend.call(lambda files: [files.readdir("/e"), files.rmdir("/d", {"recursive": True})])
        totals.append((backend.gas, backend.state.root))
    assert totals[0] == totals[1]


def test_going_over_a_limit_is_an_answer_and_undoes_the_call() -> None:
    backend = Backend(paths_max=2)
    overlay, files = backend.begin()
    with pytest.raises(Refused) as caught:
        files.write("/a/b/c")
    assert caught.value.name == "QuotaExceededError"
    assert files.exists("/a/b") is True
    with pytest.raises(Refused):
        files.write("/a")
    with pytest.raises(Exception, match="more than 2 paths"):
        overlay.commit(1)


def test_a_damaged_content_is_the_hosts_trouble(backend: Backend) -> None:
    backend.contents._data.seek(0)
    backend.contents._data.write(b"XXXX")
    _, files = backend.begin()
    with pytest.raises(StorageError) as caught:
        files.readFile("/d/e/f")
    assert caught.value.fatal


def test_values_survive_json(files: Files) -> None:
    """What the guest parses is what was meant, escapes included."""
    path = '/"quoted" {[,:]} \u2028'
    files.write(path, b"x")
    assert path[1:] in files.readdir("/")
    assert json.loads(request("stat", path))[1] == path
    assert files.stat(path)["size"] == 1
    assert sha(files.readFile(path)) == sha(b"x")
