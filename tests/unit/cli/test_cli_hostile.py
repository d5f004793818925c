"""Arguments that are no text, streams that are closed, values that would steer a terminal."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tty
from pathlib import Path

import click
import pytest
from served import Nodevms, Serving

from nodevms.cli.group import LazyGroup
from nodevms.cli.printable import as_it_is, json_for_stdout
from nodevms.cli.prompt.show import TextScreen

NO_UTF8 = "\udcff"
LONG = "x" * 5_000


@pytest.mark.parametrize("command", ["verify", "info", "repl"])
@pytest.mark.parametrize("target", [LONG, "x" * 64, NO_UTF8, "a..b", "~nosuchuser/x"])
def test_a_target_that_is_none(
    nodevms: Nodevms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = nodevms(command, target)
    assert done.exit_code == (3 if (command, target[0]) == ("repl", "~") else 2)
    assert "internal error" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["call", "x", "-u", NO_UTF8],
        ["call", "x", f'"{NO_UTF8}"'],
        ["info", "-u", NO_UTF8],
        ["repl", "-u", NO_UTF8, "-e", "1"],
    ],
)
def test_what_is_not_utf8_is_not_sent(
    backend: Serving, nodevms: Nodevms, arguments: list[str]
) -> None:
    done = nodevms(arguments[0], backend.address, *arguments[1:])
    assert done.exit_code == 2
    assert "is not UTF-8 text" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["verify", ".", "--max-time"], ["call", "localhost:1", "x", "--timeout"]]
)
def test_a_time_that_is_never_over_is_none(nodevms: Nodevms, arguments: list[str]) -> None:
    done = nodevms(*arguments, "nan")
    assert done.exit_code == 2
    assert "nan is no time" in done.stderr


def test_half_a_surrogate_pair_is_shown(backend: Serving, nodevms: Nodevms) -> None:
    done = nodevms("repl", backend.address, "-e", "'a\\ud800b\\ud83d\\ude00'")
    assert (done.exit_code, done.stdout) == (0, "a\ufffdb\U0001f600\n")


STEERING = "\x1b]0;owned\x07\x9b31m\u202e"


def test_an_answer_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    with open(theirs, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "stderr", terminal)
        screen = TextScreen(None)
        screen.string(STEERING)
        screen.console("log", STEERING)
        screen.console("error", STEERING)
        screen.json(f'"{STEERING[-5:]}"')
        told = json_for_stdout(f'["{chr(0x9B)}é"]'.encode())
        monkeypatch.undo()
    shown = "\\x1b]0;owned\\x07\\x9b31m\\u202e\n" * 3 + '"\\u009b31m\\u202e"\n'
    read = os.read(ours, 1 << 16)
    while len(read) < len(shown):
        read += os.read(ours, 1 << 16)
    os.close(ours)
    assert read.decode() == shown
    assert told == '["\\u009bé"]'.encode()


def test_off_a_terminal_values_are_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert as_it_is(STEERING, sys.stdout) == STEERING
    assert json_for_stdout(STEERING.encode()) == STEERING.encode()
    TextScreen(None).string(STEERING)
    assert capsys.readouterr().out == STEERING + "\n"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_streams_are_nobody_elses(closed: tuple[int, ...]) -> None:
    """Or the next file that is opened is written to as if it were the log."""
    code = """
import os, sys
from click.testing import CliRunner
from nodevms.cli.streams import open_missing_streams
for number in CLOSED: os.close(number)
open_missing_streams()
opened = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
assert opened > 2, opened
print("out"), print("err", file=sys.stderr), sys.stdin.read()
"""
    done = subprocess.run(
        [sys.executable, "-c", code.replace("CLOSED", str(closed)), os.devnull],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if 1 in closed else "out\n")
    assert done.stderr == ("" if 2 in closed else "err\n")


def test_a_command_whose_streams_are_closed_does_its_work(tmp_path: Path) -> None:
    script = tmp_path / "script.js"
    script.write_text("exports.f = ()")
    command = f'exec "{sys.executable}" -m nodevms exec "{script}" -p 0 <&- >&- 2>&-'
    assert subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=False).returncode == 2


def test_output_that_cannot_be_written_is_no_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch, nodevms: Nodevms
) -> None:
    @click.command()
    def command() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("nodevms.cli.group.stop_writing", lambda: None)
    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: command)
    done = nodevms("info")
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr == "nodevms: the output cannot be written: the disk is full\n"
