from __future__ import annotations

import json
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from msgspec import Raw
from served import SCRIPT, Nodevms, Serving, serving

from nodevms.cli.info_directory import _offsets_backwards, of_directory
from nodevms.feed import Feed
from nodevms.feed.files import OSFiles
from nodevms.vm.entries import Call, CallInfo, Result, encode


def test_a_server_and_its_directory_say_the_same(
    tmp_path: Path, nodevms: Nodevms, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "backend"
    monkeypatch.setattr("nodevms.vm.deploy._check_title", lambda _title: None)  # a hostile host
    with serving() as server:
        server.start_script(place, title="An \x1b[31malbum")
        nodevms("call", server.address, "write", "/a", "text")
        server.stop()
        server.start_script(place, title="An \x1b[31malbum")
        nodevms("call", server.address, "increment")
        served = json.loads(nodevms("info", server.address, "--json").stdout)
        stored = json.loads(nodevms("info", str(place), "--json").stdout)
        shown = nodevms("info", server.address)
        assert stored.pop("serving") is True
    assert served.pop("version")
    assert served == stored
    assert (served["entries"], served["epoch"], served["filesVersion"]) == (4, 2, 1)
    assert served["parameters"]["add"] == ["a", "b", "rest"]
    assert served["limits"]["gas"] == 1_000_000_000
    assert served["engine"].startswith("sha256:")
    assert (served["debug"], served["format"], served["hostApi"]) == (False, 1, 1)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "Title:    An \\x1b[31malbum"
    assert "          add(a, b, rest)" in lines
    assert any(line.startswith("Epoch:    2, started at 20") for line in lines)
    assert json.loads(nodevms("info", str(place), "--json").stdout)["serving"] is False


def test_an_upgrade_shows_the_new_script(tmp_path: Path, nodevms: Nodevms) -> None:
    with serving() as server:
        server.start_script(tmp_path / "b")
        server.stop()
        server.start_script(tmp_path / "b", "exports.only = one => one", upgrade=True)
        server.stop()
        server.start_script(tmp_path / "b", "exports.only = one => one")
        served = json.loads(nodevms("info", server.address, "--json").stdout)
    stored = json.loads(nodevms("info", str(tmp_path / "b"), "--json").stdout)
    assert stored["epoch"] == served["epoch"] == 2
    assert stored["codeHash"] == served["codeHash"]
    assert stored["parameters"] == {"only": ["one"]}


def test_a_script_that_asks_oracles_while_it_loads(tmp_path: Path, nodevms: Nodevms) -> None:
    code = (
        "System.oracle(() => 1).then(value => { exports.value = () => value })\nexports.f = () => 1"
    )
    with serving() as server:
        server.start_script(tmp_path / "b", code)
        served = json.loads(nodevms("info", server.address, "--json").stdout)
    stored = json.loads(nodevms("info", str(tmp_path / "b"), "--json").stdout)
    assert set(served["parameters"]) == {"value", "f"}
    assert set(stored["parameters"]) == {"f"}


def test_a_long_log_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Loading the engine takes far more memory than reading the log, and is the same for all logs.
    monkeypatch.setattr("nodevms.cli.info_directory._exports", lambda _code: ())
    place = tmp_path / "long"
    with serving() as server:
        server.start_script(place)
        server.stop()
        server.start_script(place)
    call = CallInfo(userId=None, methodName="echo", args=Raw(b'["%s"]' % (b"x" * 4000)), time=1)
    decoy = CallInfo(
        userId=None, methodName="echo", args=Raw(b'["\\n{\\"type\\":\\"restart\\""]'), time=1
    )
    result = Result(gas=1, filesVersion=0)
    with Feed.open(place, "call-log.", writable=True) as log:
        for _ in range(16):
            log.append(
                [encode(Call(call=call, result=result))] * 500
                + [encode(Call(call=decoy, result=result))]
            )
            log.sync()
        size, length = log.byte_length, log.length
    tracemalloc.start()
    facts = of_directory(place)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (facts["entries"], facts["epoch"]) == (length, 1)
    assert size > 32_000_000
    assert peak < 12_000_000


def test_a_beginning_across_two_reads_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginnings = (b"\n<start", b"\n<again")
    text = b"<start\n<call\n<again\n\n<start\n<start>\n<call <start\n<again\n<call"
    (tmp_path / "lines").write_bytes(text)
    places = [at + 1 for at in range(len(text)) if text[at : at + 7] in beginnings]
    assert len(places) == 4
    with closing(OSFiles().open(tmp_path / "lines")) as lines:
        for chunk_bytes in range(1, len(text) + 2):
            monkeypatch.setattr("nodevms.cli.info_directory.CHUNK_BYTES", chunk_bytes)
            found = list(_offsets_backwards(lines, len(text), beginnings))
            assert found == places[::-1], chunk_bytes


@pytest.mark.parametrize(
    ("target", "exit_code", "told"),
    [
        ("./nothing", 2, "./nothing is not a directory"),
        ("/nothing", 2, "/nothing is not a directory"),
        ("a-file", 2, "a-file is not a directory"),
        ("empty", 2, "empty holds no backend"),
        ("localhost:1", 3, "Cannot connect"),
        ("127.0.0.1", 3, "nodevms exec serves at 5555"),
        ("ftp://localhost", 2, "ws:// or wss://"),
    ],
)
def test_what_is_no_backend_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    nodevms: Nodevms,
    target: str,
    exit_code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("")
    (tmp_path / "empty").mkdir()
    done = nodevms("info", target)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert told in done.stderr


def test_damaged_logs_end_without_a_traceback(tmp_path: Path, nodevms: Nodevms) -> None:
    place = tmp_path / "b"
    with serving() as server:
        server.start_script(place, SCRIPT)
    data = place / "call-log.data"
    data.write_bytes(data.read_bytes().replace(b'"type":"init"', b'"type":"tini"'))
    done = nodevms("info", str(place))
    assert done.exit_code == 3
    assert "internal error" not in done.stderr
    data.write_bytes(b"")
    done = nodevms("info", str(place))
    assert done.exit_code == 3
    assert "internal error" not in done.stderr


def test_a_server_without_its_log_is_told_about_all_the_same(nodevms: Nodevms) -> None:
    from test_cli_repl import Meeting

    with serving() as server:
        server.start(Meeting())
        done = nodevms("info", server.address)
    assert done.exit_code == 0
    assert "Methods:  meet()" in done.stdout
    assert "Entries" not in done.stdout


def test_the_shell_completes_directories_for_a_target(backend: Serving) -> None:
    from click.shell_completion import ShellComplete

    from nodevms.cli import main

    found = ShellComplete(main, {}, "nodevms", "_NODEVMS_COMPLETE").get_completions(["info"], "./")
    assert [(item.type, item.value) for item in found] == [("dir", "./")]
