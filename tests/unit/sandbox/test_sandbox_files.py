"""`System.files` in the guest: encodings, options, what crosses to the host and what comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sandbox_machine import Machine

Run = Callable[..., Machine]

CODE = """
const fs = System.files
for (const name of Object.keys(fs)) exports[name] = (...a) => fs[name](...a)
exports.bytes = (path, encoding) => fs.writeFile(path, new Uint8Array([0, 255, 104]).subarray(1), encoding)
exports.run = (code) => (0, eval)(code)
exports.caught = async (code) => { try { await (0, eval)(code) } catch (e) { return [e.name, e instanceof Error, e.constructor.name, e.message] } }
"""


def test_the_operations(run: Run) -> None:
    machine = run(CODE)
    names = {export.name for export in machine.sandbox.exports}
    assert names >= {
        *("getInfo", "stat", "readFile", "readdir", "writeFile", "mkdir", "unlink", "rmdir"),
        *("history", "copy", "rename", "exists"),
    }


@pytest.mark.parametrize(
    ("arguments", "stored"),
    [
        (["é"], b"\xc3\xa9"),
        (["é", "utf8"], b"\xc3\xa9"),
        (["é", "UTF-8"], b"\xc3\xa9"),
        (["a\ud800"], b"a\xef\xbf\xbd"),
        ([7], b"7"),
        ([None], b"null"),
        ([{"a": [1]}], b'{"a":[1]}'),
        (["text", "json"], b'"text"'),
        (["aGk=", "base64"], b"hi"),
        (["6869", {"encoding": "hex"}], b"hi"),
        (["\u00ff", "binary"], b"\xff"),
        (["", None], b""),
    ],
)
def test_writing(run: Run, arguments: list[object], stored: bytes) -> None:
    machine = run(CODE)
    assert machine.value("writeFile", "/p", *arguments) is None
    assert machine.host.files == {"/p": stored}


@pytest.mark.parametrize(
    ("encoding", "value"),
    [
        (None, "\ufffdh"),
        ("utf8", "\ufffdh"),
        ("base64", "/2g="),
        ({"encoding": "hex"}, "ff68"),
        ("binary", {"type": "Buffer", "data": [255, 104]}),
    ],
)
def test_bytes_are_read_in_every_encoding(run: Run, encoding: object, value: object) -> None:
    machine = run(CODE)
    machine.value("bytes", "/p")
    assert machine.value("readFile", "/p", encoding) == value


def test_json_of_a_missing_file_is_null_and_everything_else_an_error(run: Run) -> None:
    machine = run(CODE)
    assert machine.value("readFile", "/no", "json") is None
    for encoding in (None, "utf8", "base64", "binary"):
        assert machine.error("readFile", "/no", encoding) == {
            "name": "NotFoundError",
            "message": "no such file",
        }
    machine.value("writeFile", "/p", "{", "utf8")
    assert machine.error("readFile", "/p", "json")["name"] == "SyntaxError"
    machine.value("writeFile", "/p", "", "utf8")
    assert machine.value("readFile", "/p") == ""


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("System.files.readFile(5)", "InvalidPathError"),
        ("System.files.readFile('\\ud800')", "InvalidPathError"),
        ("System.files.readFile('/a', 'latin9')", "InvalidEncodingError"),
        ("System.files.readFile('/a', {encoding: 5})", "InvalidEncodingError"),
        (
            "System.files.readFile('/a', {get encoding () { throw new URIError('mine') }})",
            "URIError",
        ),
        ("System.files.writeFile('/a', undefined)", "TypeError"),
        ("System.files.writeFile('/a', () => 1)", "TypeError"),
        ("System.files.writeFile('/a', 10n)", "TypeError"),
        ("System.files.writeFile('/a', 5, 'utf8')", "TypeError"),
        ("System.files.writeFile('/a', {}, 'binary')", "TypeError"),
    ],
)
def test_wrong_arguments_reject_and_reach_no_file(run: Run, code: str, error: str) -> None:
    machine = run(CODE)
    name, real, constructor, message = machine.value("caught", code)  # type: ignore[misc]
    assert (name, real, constructor) == (error, True, error)
    assert message
    assert machine.host.asked == []


def test_requests_are_json_whatever_the_path(run: Run) -> None:
    machine = run(CODE)
    machine.value("mkdir", '/"]\n\\é\0')
    machine.value("unlink", "/a")
    machine.value("copy", "/a", "/b")
    machine.value("rename", "/a", "/b")
    machine.value("rmdir", "/a", {"recursive": 1})
    machine.value("readdir", "/a", {"stat": True})
    machine.value("readdir")
    machine.value("history", {"limit": 2, "reverse": True})
    machine.value("history")
    machine.value("getInfo")
    assert machine.host.asked == [
        ["mkdir", '/"]\n\\é\0'],
        ["unlink", "/a"],
        ["copy", "/a", "/b"],
        ["rename", "/a", "/b"],
        ["rmdir", "/a", {"recursive": True}],
        ["readdir", "/a", {"recursive": False, "stat": True}],
        ["readdir", "/", {"recursive": False, "stat": False}],
        ["history", {"limit": 2, "reverse": True}],
        ["history", {}],
        ["getInfo"],
    ]


def test_stats_tell_files_from_folders_and_have_dates(run: Run) -> None:
    machine = run(
        CODE
        + "exports.s = async () => { await fs.writeFile('/a', 1); const s = await fs.stat('/a'), [{stat}] = await fs.readdir('/', {stat: true}); return [s.isFile(), s.isDirectory(), s.mtime.getTime(), stat.isFile(), stat.isDirectory(), stat.ctime instanceof Date] }"
    )
    assert machine.value("s") == [True, False, 5, False, True, True]


def test_host_work_is_paid_for_before_it_is_done(run: Run) -> None:
    machine = run("exports.f = () => System.files.writeFile('/a', 'x')", gas=10_000_000)
    machine.host.charge = 20_000_000
    outcome = machine.call("f")
    assert outcome.undone
    assert machine.host.files == {}
    machine.host.charge = 0
    machine.value("f")  # what the engine does once
    machine.host.charge = 1_000_000
    dear = machine.call("f").gas
    machine.host.charge = 0
    assert dear - machine.call("f").gas == 1_000_000
