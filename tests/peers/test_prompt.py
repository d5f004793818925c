"""The prompt and the shell's completion at a terminal, as a person has them."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pseudo_terminal import PseudoTerminal, at_terminal

BIN = Path(sys.executable).parent
SCRIPT = """
let count = 0
exports.increment = () => ++count
exports.addPhoto = async function (name, data, encoding) {}
exports.fail = message => { throw new RangeError(message) }
"""


@contextmanager
def serving(script: Path, port: int = 0) -> Iterator[str]:
    command = [sys.executable, "-m", "nodevms", "exec", str(script), "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=script.parent)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        process.stdout.close()


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "counter.js"
    path.write_text(SCRIPT)
    return path


@contextmanager
def prompt(address: str, folder: Path, **environ: str) -> Iterator[PseudoTerminal]:
    known = {name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME") if name in os.environ}
    known |= {"PATH": f"{BIN}:/usr/bin:/bin", "XDG_STATE_HOME": str(folder / "state")}
    command = (sys.executable, "-m", "nodevms", "repl", address)
    with at_terminal(*command, environ=known | environ, folder=str(folder)) as terminal:
        terminal.see(r"Connecting\.\.\.\nConnected\.\n")
        terminal.see(r"You can use 'client' object to access the backend\.\n")
        yield terminal


def say(person: PseudoTerminal, line: str) -> None:
    """Type a line at the prompt, and Enter."""
    person.see("^>")
    person.enter(line)


def press(person: PseudoTerminal, keys: str) -> None:
    """Type keys at the prompt."""
    person.see("^>")
    person.type(keys)


def test_a_person_at_the_prompt(script: Path, tmp_path: Path) -> None:
    with serving(script) as address, prompt(address, tmp_path) as person:
        for answer in ("1", "2", "3"):
            say(person, "client.increment()")
            person.see(rf"^{answer}\n")
        assert "\x1b[33m3\x1b[0m" in person.raw  # numbers are yellow

        press(person, "client.a\t")
        person.see("client.addPhoto")
        person.enter("('a')")
        person.see(r"client.addPhoto\('a'\)\n")
        press(person, "client.\t")  # undefined shows nothing: the next thing was a prompt
        person.see(r"addPhoto\(name, data, encoding\)")
        person.type("\x03")  # the line is given up

        say(person, "function twice (n) {")
        person.see(r"^\.\.\.")
        person.enter("return n * 2")
        person.see(r"^\.\.\.")
        person.enter("}")
        say(person, "twice(21)")
        person.see(r"^42\n")

        press(person, "\x1b[200~let pasted = [\n1,\n2\n]\npasted\x1b[201~")
        person.see(r"^\.\.\. pasted")
        person.type("\r")
        person.see(r"^\[ 1, 2 \]\n")

        say(person, "client.fail('oh')")
        person.see(r"^RangeError: oh\n    from the backend's script; entry \d+ of its call log\n")
        assert "\x1b[31mRangeError: oh" in person.raw

        say(person, "console.log('in it'); for (;;);")
        person.see(r"^in it\n")
        person.type("\x03")
        person.see(r"Interrupted\.\n")
        say(person, "setTimeout(() => console.log('rang'), 300); twice(4)")
        person.see(r"^8\n")
        person.see(r"rang\n")  # while the prompt waits for the next line

        press(person, "\x03")
        person.see(r"\(To leave, press Ctrl-D or type \.exit\)")
        press(person, "\x04")
        assert person.wait() == 0
        history = tmp_path / "state" / "nodevms" / "repl-history"
        assert stat.S_IMODE(history.stat().st_mode) == 0o600
        assert "+client.increment()" in history.read_text()


def test_history_is_there_the_next_time_and_colours_can_be_off(
    script: Path, tmp_path: Path
) -> None:
    with serving(script) as address:
        with prompt(address, tmp_path) as person:
            say(person, "'typed earlier'.length")
            person.see(r"^13\n")
            say(person, ".exit")
            assert person.wait() == 0
        with prompt(address, tmp_path, NO_COLOR="1") as person:
            press(person, "\x1b[A")
            person.see(r"\.exit")
            person.type("\x1b[A")
            person.see(r"'typed earlier'\.length")
            person.type("\r")
            person.see(r"^13\n")
            say(person, "nope")
            person.see(r"^ReferenceError: nope is not defined\n    nope\n    \^\n")
            assert "\x1b[31m" not in person.raw
            assert "\x1b[33m13" not in person.raw
            press(person, "\x04")
            assert person.wait() == 0


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_bash_completes_commands_options_and_files(tmp_path: Path) -> None:
    (tmp_path / "my-script.js").write_text(SCRIPT)
    (tmp_path / "my-folder").mkdir()
    environ = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(tmp_path), "PS1": "$ "}
    bash = ("bash", "--norc", "--noprofile", "-i")
    with at_terminal(*bash, environ=environ, folder=str(tmp_path)) as person:
        person.see(r"\$ ")
        person.enter("bind 'set enable-bracketed-paste off'")
        person.enter('eval "$(nodevms completion bash)"; echo re""ady')
        person.see(r"^ready\n")
        for typed, completed in (
            ("nodevms ver\t", "nodevms verify "),
            ("nodevms exec --por\t", "nodevms exec --port "),
            ("nodevms exec my-s\t", r"nodevms exec my-script\.js "),
            ("nodevms info my-\t", "nodevms info my-folder"),
            ("nodevms completion f\t", "nodevms completion fish "),
        ):
            person.type(typed)
            person.see(completed)
            person.type("\x15")  # clears the line
        person.type("exit\r")
        assert person.wait() == 0


def test_who_stops_reading_ends_it_silently(script: Path) -> None:
    with serving(script) as address:
        command = f"{sys.executable} -m nodevms info {address} | head -1"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.stdout.startswith("Title:"), done.stderr) == (True, "")
        many = f"{sys.executable} -m nodevms repl {address} -e 'for (var i = 0; i < 2e4; i++) console.log(i)' 2>&1 | head -1"
        done = subprocess.run(
            ["bash", "-c", many], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stdout == "0\n"
        assert done.stderr == ""
