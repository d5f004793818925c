from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from command_line import nodevms_command
from served import Nodevms, Serving

from nodevms.cli.log_lines import json_line, text_line
from nodevms.feed import Feed, KeyPair


@pytest.fixture
def lived(tmp_path: Path, nodevms: Nodevms) -> Path:
    """A backend's directory with one entry of each outcome."""
    from served import SCRIPT, serving

    asking = (
        "exports.dice = async () => { await System.oracle(() => 1); return System.oracle(() => 2) }"
    )
    with serving() as server:
        server.start_script(
            tmp_path / "b", SCRIPT + asking, title="A \x1b[2Jtitle".replace("\x1b", ""), debug=True
        )
        nodevms("call", server.address, "add", "2", "3", "-u", "bob")
        nodevms("call", server.address, "fail", '"no\\u001b[31m"')
        nodevms("call", server.address, "throwValue", '{"a":1}')
        nodevms("call", server.address, "write", '"/a"', '"text"')
        nodevms("call", server.address, "dice")
    return tmp_path / "b"


def test_every_kind_of_entry_has_a_line(lived: Path, nodevms: Nodevms) -> None:
    done = nodevms("log", str(lived))
    assert done.exit_code == 0
    lines = [line[35:] for line in done.stdout.splitlines()]
    assert lines[0].startswith("init 'A [2Jtitle' script ")
    assert lines[1:] == [
        "bob: add(2,3) → 5",
        'fail("no\\u001b[31m") ✖ RangeError: no\\x1b[31m',
        'throwValue({"a":1}) ✖ threw {"a":1}',
        'write("/a","text")  [1 change, v1]',
        "dice() → 2  [2 oracles]",
    ]


def test_json_has_the_entries_as_they_were_signed(lived: Path, nodevms: Nodevms) -> None:
    done = nodevms("log", str(lived), "--json", "--from", "1", "--last", "3")
    assert done.exit_code == 0
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [item["seq"] for item in found] == [3, 4, 5]
    data = (lived / "call-log.data").read_bytes().splitlines()
    assert [item["entry"] for item in found] == [json.loads(text) for text in data[3:]]


def test_a_server_gives_what_its_directory_has(backend: Serving, nodevms: Nodevms) -> None:
    nodevms("call", backend.address, "echo", '"over HTTP"')
    done = nodevms("log", backend.address)
    assert done.exit_code == 0
    assert any('echo("over HTTP") → "over HTTP"' in line for line in done.stdout.splitlines())


@pytest.mark.parametrize("place", ["server", "directory"])
def test_following_prints_entries_as_they_come(place: str, tmp_path: Path) -> None:
    from served import serving

    from nodevms.cli.call import command as call

    with serving() as server:
        server.start_script(tmp_path / "b")
        target = server.address if place == "server" else str(tmp_path / "b")
        process = subprocess.Popen(
            nodevms_command("log", target, "--follow"), stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            assert " init " in process.stdout.readline()
            call.main([server.address, "echo", "1"], standalone_mode=False)
            assert process.stdout.readline().endswith("echo(1) → 1\n")
            call.main([server.address, "echo", "2"], standalone_mode=False)
            assert process.stdout.readline().endswith("echo(2) → 2\n")
        finally:
            process.terminate()
            process.stdout.close()
            process.wait(30)


def test_blocks_of_other_programs_are_shown_as_they_are(tmp_path: Path, nodevms: Nodevms) -> None:
    blocks = [b'{"type":"init","script":"old"}\n', b"\xff\x00", b"\x1b[2Jclear", b"1\n2\n"]
    with Feed.create(tmp_path, "call-log.", KeyPair.generate()) as feed:
        feed.append(blocks)
        feed.sync()
    shown = nodevms("log", str(tmp_path)).stdout.splitlines()
    assert [line[9:] for line in shown] == [
        '{"type":"init","script":"old"}',
        "\ufffd\\x00",
        "\\x1b[2Jclear",
        "1\\n2",
    ]
    found = [
        json.loads(line) for line in nodevms("log", str(tmp_path), "--json").stdout.splitlines()
    ]
    assert found[0] == {"seq": 0, "entry": {"type": "init", "script": "old"}}
    assert found[1] == {"seq": 1, "base64": "/wA="}
    assert [set(item) for item in found[2:]] == [{"seq", "base64"}] * 2


def test_lines_are_short_and_json_is_whole() -> None:
    assert json_line(1, b'{"a":"\\ud800"}\n') == b'{"seq":1,"entry":{"a":"\\ud800"}}'
    assert len(text_line(0, b'"' + b"x" * 10_000 + b'"')) < 200
    assert json_line(7, b'"' + b"x" * 10_000 + b'"\n').endswith(b'x"}')


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["."], 2, "holds no call log"),
        (["./nowhere"], 2, "is not a directory"),
        (["localhost:1"], 3, "could not be fetched"),
        (["localhost:5555", "--last", "-1"], 2, "-1"),
    ],
)
def test_what_cannot_be_read_is_said(
    arguments: list[str],
    code: int,
    says: str,
    tmp_path: Path,
    nodevms: Nodevms,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = nodevms("log", *arguments)
    assert (done.exit_code, says in done.stderr) == (code, True), done.stderr
