"""``nodevms exec --dev`` as a developer has it: a file is edited, calls are made, lines are read."""

from __future__ import annotations

import os
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import in_process, nodevms_command
from program import Program, dies_with_the_test
from pseudo_terminal import at_terminal

from nodevms.rpc import BlockingRPCClient, RemoteError

COUNTER = """let count = 0
exports.init = () => System.files.writeFile('/begun', 'yes')
exports.increment = by => { console.log('adding', by); return count += by }
exports.keep = text => System.files.writeFile('/kept', text)
exports.kept = System.readonly(async () => (await System.files.readdir('/')).sort())
exports.refuse = () => {
  throw new TypeError('no')
}
"""


@pytest.fixture
def script(place: Path) -> Path:
    path = place / "counter.js"
    path.write_text(COUNTER)
    (place / "tmp").mkdir()
    return path


@contextmanager
def developing(script: Path, *options: str, exit_code: int | None = 0) -> Iterator[Program]:
    """Serve a script that is being written; at the end its temporary directory has to be gone."""
    place = script.parent
    command = [*dies_with_the_test(), *nodevms_command("exec", str(script), "--dev", "-p", "0")]
    env = {**os.environ, "TMPDIR": str(place / "tmp"), "NODEVMS_SWARM": "yes"}
    env = {name: value for name, value in env.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    program = Program("exec --dev", [*command, *options], place, place, env)
    try:
        program.wait_for(r"Watching \S+counter\.js\n")
        yield program
    finally:
        code = program.stop()
    assert exit_code is None or code == exit_code, program.told()
    assert "Traceback" not in program.errors()
    assert exit_code is None or list((place / "tmp").iterdir()) == []


@contextmanager
def client_of(program: Program, user: str | None = None) -> Iterator[BlockingRPCClient]:
    with BlockingRPCClient() as client:
        yield client.connect(address_of(program), user)


def address_of(program: Program) -> str:
    return program.output().splitlines()[0].removeprefix("Serving at ")


def call(program: Program, method: str, *arguments: object) -> object:
    with client_of(program) as client:
        return client.call(method, *arguments)


def lines(program: Program) -> list[str]:
    """What was printed, without times and costs."""
    text = re.sub(r"(?m)^\d\d:\d\d:\d\d ", "", program.errors())
    return re.sub(r"  \d+\.\d ms, [\d,]+ gas", "  COSTS", text).splitlines()


def edit(script: Path, old: str, new: str) -> None:
    """Write as editors do that put a new file in the place of the old one."""
    text = script.read_text().replace(old, new)
    beside = script.with_name(".counter.js.swp")
    beside.write_text(text)
    beside.rename(script)


def test_each_call_is_printed_and_each_change_served(script: Path) -> None:
    with developing(script) as program:
        with client_of(program, "bob") as bob:
            assert bob.increment(2) == 2
            bob.keep("a letter")
            with pytest.raises(RemoteError) as refused:
                bob.refuse()
            assert refused.value.stack == "    at <anonymous> (counter.js:7:13)"
        edit(script, "count += by", "count += 10 * by")
        program.wait_for("serves, without files")
        assert call(program, "increment", 2) == 20
        assert call(program, "kept") == ["begun"]
        methods = "increment(by), keep(text), kept() read-only, refuse()"
        program.wait_for(r"kept\(\) →")
        assert lines(program) == [
            f"counter.js serves: {methods}",
            "    adding 2",
            "bob: increment(2) → 2  COSTS",
            'bob: keep("a letter") → undefined  COSTS, /kept',
            "bob: refuse() → TypeError: no  COSTS",
            "      throw new TypeError('no')",
            " " * 16 + "^",
            "        at <anonymous> (counter.js:7:13)",
            f"counter.js serves, without files: {methods}",
            "    adding 2",
            "increment(2) → 20  COSTS",
            'kept() → ["begun"]  COSTS, read-only',
        ]
        assert "\x1b" not in (script.parent / "stderr").read_text()
        assert in_process("verify", address_of(program)).exit_code == 0


def test_a_broken_script_is_explained_and_callers_are_told_until_it_is_mended(
    script: Path,
) -> None:
    with developing(script) as program:
        script.write_text(COUNTER.replace("count += by", "count +="))  # in place, as others do
        program.wait_for("Calls are refused until counter.js changes")
        broken = lines(program)[1:]
        assert broken[0].startswith("counter.js:3:72: SyntaxError: ")
        assert broken[1] == COUNTER.splitlines()[2].replace("count += by", "count +=")
        assert broken[2] == " " * 71 + "^"
        with pytest.raises(RemoteError, match=r"counter\.js:3:72: SyntaxError") as refused:
            call(program, "increment", 1)
        assert refused.value.code == "closed"
        with pytest.raises(urllib.error.HTTPError, match="404"):  # nor are the files before it
            urllib.request.urlopen(f"http://{address_of(program)}/files/")
        edit(script, "count +=", "count += by")
        program.wait_for(r"(?s)refused.*serves: increment")
        assert call(program, "increment", 1) == 1


@pytest.mark.parametrize("broken", ["exports.x = ;", "throw new Error('no')", "exports.x = 1"])
def test_a_script_that_is_broken_from_the_beginning_is_waited_for(
    script: Path, broken: str
) -> None:
    script.write_text(broken)
    with developing(script) as program:
        program.wait_for("Calls are refused")
        with pytest.raises(RemoteError, match=r"counter\.js"):
            call(program, "increment", 1)
        script.write_text(COUNTER)
        program.wait_for("serves: increment")
        assert call(program, "increment", 1) == 1


def test_a_script_that_is_gone_is_waited_for(script: Path) -> None:
    with developing(script) as program:
        script.unlink()
        program.wait_for(r"counter\.js is gone; waiting until it is back")
        assert call(program, "increment", 1) == 1
        script.write_text(COUNTER)
        program.wait_for("serves, without files")
        assert call(program, "increment", 1) == 1


def test_files_are_kept_if_that_is_wanted(script: Path) -> None:
    with developing(script, "--keep") as program:
        call(program, "keep", "a letter")
        script.write_text("broken(")
        program.wait_for("Calls are refused")
        more = "exports.upgrade = () => System.files.writeFile('/upgraded', 'yes')\n"
        script.write_text(COUNTER.replace("'/begun'", "'/again'") + more)
        program.wait_for("serves: increment.*\n(?s:.*)serves")
        assert call(program, "kept") == ["begun", "kept", "upgraded"]
        script.write_text(script.read_text())  # the same script: a restart
        program.wait_for("serves, the files kept")
        assert call(program, "kept") == ["begun", "kept", "upgraded"]
        assert in_process("verify", address_of(program)).exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_ordered_end_removes_the_directory(script: Path, number: int) -> None:
    with developing(script) as program:
        call(program, "keep", "a letter")
        assert len(list((script.parent / "tmp").iterdir())) == 1
        assert program.stop(number) == 0
        assert list((script.parent / "tmp").iterdir()) == []


def test_what_a_killed_program_left_is_swept_by_the_next(script: Path) -> None:
    with developing(script, exit_code=None) as killed:
        killed.kill()
    left = list((script.parent / "tmp").iterdir())
    assert len(left) == 1
    with developing(script):
        assert not left[0].exists()


def test_at_a_terminal_there_are_colours_unless_they_are_unwanted(script: Path) -> None:
    for environ, colours in (({}, True), ({"NO_COLOR": "1"}, False)):
        plain = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
        command = nodevms_command("exec", str(script), "--dev", "-p", "0")
        with at_terminal(*command, environ=plain | environ, folder=str(script.parent)) as terminal:
            address = terminal.see(r"Serving at \S+").split()[-1]
            terminal.see("Watching")
            with BlockingRPCClient() as client:
                assert client.connect(address).increment(1) == 1
            terminal.see(r"increment\(1\) → 1")
            os.kill(terminal.process.pid, signal.SIGTERM)
            assert terminal.wait() == 0
            assert ("\x1b[32m1" in terminal.raw) == colours


def test_the_prompt_connects_again_by_itself(script: Path) -> None:
    with developing(script) as program:
        known = {"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(script.parent / "state")}
        known |= {"HOME": os.environ.get("HOME", "/")}
        command = (sys.executable, "-m", "nodevms", "repl", address_of(program))
        with at_terminal(*command, environ=known, folder=str(script.parent)) as person:
            asks(person.see, person.enter, "client.increment(1)", "^1$")
            edit(script, "count += by", "count += 10 * by")
            program.wait_for("serves, without files")
            asks(person.see, person.enter, "client.increment(2)", "^20$")
            script.write_text("exports.increment = ;")
            program.wait_for("Calls are refused")
            asks(person.see, person.enter, "client.increment(3)", r"counter\.js:1:21: SyntaxError")
            script.write_text(COUNTER)
            program.wait_for(r"(?s)refused.*serves: increment")
            asks(person.see, person.enter, "client.increment(4)", "^4$")


def asks(see: Callable[[str], str], enter: Callable[[str], None], line: str, answer: str) -> None:
    see("^>")
    enter(line)
    see(answer)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--dev", "--dir", "here"], "--dev serves from a temporary directory"),
        (["--dev", "--upgrade"], "--keep keeps the files"),
        (["--keep"], "--keep is for --dev"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    script: Path, options: list[str], sentence: str
) -> None:
    done = in_process("exec", str(script), *options)
    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())
    assert [path.name for path in script.parent.iterdir()] == ["counter.js", "tmp"]


def test_a_script_that_is_not_there_is_not_waited_for(place: Path) -> None:
    done = in_process("exec", "missing.js", "--dev")
    assert done.exit_code == 2
    assert "missing.js: no such script" in done.stderr


def test_read_only_calls_are_printed_too(script: Path) -> None:
    marked = "exports.seen = System.readonly(text => { console.log(text); return count })\n"
    script.write_text(COUNTER + marked)
    with developing(script) as program:
        assert call(program, "seen", "look") == 0
        program.wait_for(r"seen\(")
        assert lines(program)[1:] == ["    look", 'seen("look") → 0  COSTS, read-only']
