"""What ``nodevms verify`` shows on a terminal, and what it does not show off one."""

from __future__ import annotations

import errno
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cheating_host import Honest
from dishonest_site import Site

from nodevms.cli.verify_screen import Screen
from nodevms.sandbox import Engine

ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def backend(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("long") / "backend"
    code = "exports.f = x => x\nexports.write = x => System.files.writeFile('/x', x)"
    Honest(engine, directory).run(code, [("f", n) for n in range(300)] + [("write", "y" * 10**6)])
    return directory


def on_a_terminal(place: Path, *arguments: str, **variables: str) -> str:
    """Run the command on a pseudo-terminal of 100 columns and return all that it wrote there."""
    leader, follower = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "CI"}}
    environment |= {"TERM": "xterm", "COLUMNS": "100", "XDG_STATE_HOME": str(place)} | variables
    command = [sys.executable, "-m", "nodevms.cli", "verify", *arguments]
    with subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment
    ) as process:
        os.close(follower)
        written = b""
        while True:
            try:
                chunk = os.read(leader, 65536)
            except OSError as error:  # how Linux says that the other side was closed
                if error.errno == errno.EIO:
                    break
                raise
            if not chunk:
                break
            written += chunk
        os.close(leader)
        assert process.wait(timeout=60) == 0, written
    return written.decode()


def test_bars_show_each_step_on_a_terminal_and_go_away(backend: Path, tmp_path: Path) -> None:
    with Site(backend) as site:
        written = on_a_terminal(tmp_path, site.address)
    for step in (
        "Downloading call log",
        "Downloading files' contents",
        "Checking call log",
        "Checking files' contents",
    ):
        assert f"  {step} " in written, step
    assert "  Replaying " in written
    assert "/302" in written
    assert "entries/s" in written
    assert "━" in written
    assert f"{ESCAPE}2K" in written  # each bar is erased
    assert f"{ESCAPE}32m✔Call log verified." in written
    assert "›" in written


def test_no_color_is_honoured(backend: Path, tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path, str(backend), NO_COLOR="1")
    assert "  Replaying " in written  # bars, but none in colour
    for number in (*range(30, 38), *range(90, 98)):
        assert f"{ESCAPE}{number}m" not in written
        assert f";{number}m" not in written
    assert "✔Call log verified." in written


def test_programs_get_no_bar_even_on_a_terminal(backend: Path, tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path, str(backend), "--json")
    assert written.startswith('{"verdict": "verified"')
    assert ESCAPE not in written
    assert written.count("\n") == 1


def test_nothing_but_the_lines_off_a_terminal(backend: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nodevms.cli", "verify", str(backend)],
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path), "FORCE_COLOR": "1"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "›Replaying 302 calls...",
        "›Comparing outputs...",
        "✔Call log verified.",
        "✔Output files verified.",
    ]


def test_a_screen_without_a_terminal_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=False)
    screen.downloading("call log")(1, 2)
    screen.checked("call log", 1, 2)
    screen.replaying(7)
    screen.replayed(1)
    screen.close()
    assert capsys.readouterr() == ("›Replaying 7 calls...\n", "")
