"""Scripts and directories that cannot be served: what is said, and that nothing is left behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import (
    call_with_npm_client,
    example,
    in_process,
    nodevms,
    nodevms_command,
    serving,
)

COUNTER = example("counter.js")
LIMITS = ("--limit", "gas=200000000")
LIMIT = "Loading the script with its init or upgrade may use what a call may"

BAD_SCRIPTS: dict[str, tuple[bytes, str]] = {
    "not UTF-8": (b"exports.a = 1\n\xff\xfe", "bad.js:2: the script is not UTF-8 text (byte 14)"),
    "a syntax error": (
        b"exports.x = 1\n\texports.y = ;\n",
        "bad.js:2:14: SyntaxError: unexpected token in expression: ';'\n"
        "\texports.y = ;\n\t            ^",
    ),
    "a syntax error after other letters": (
        "let é = '😀'; let x = ;".encode(),
        "bad.js:1:22: SyntaxError: unexpected token in expression: ';'\n"
        "let é = '😀'; let x = ;\n" + " " * 22 + "^",
    ),
    "a text without an end": (b"exports.x = 'a", "bad.js:1:13: SyntaxError: unexpected end of"),
    "a throw while loading": (
        b"function f () { throw new TypeError('no') }\nf()",
        "bad.js:1:27: TypeError: no\nfunction f () { throw new TypeError('no') }\n"
        "                          ^\n    at f (bad.js:1:27)\n    at <anonymous> (bad.js:2:1)",
    ),
    "throw undefined while loading": (b"throw undefined", "bad.js: undefined was thrown"),
    "require": (
        b"const fs = require('fs')",
        "bad.js:1:11: Error: Cannot find module 'fs': a backend script has its own files, in "
        "System.files\nconst fs = require('fs')\n          ^\n    at <anonymous> (bad.js:1:11)\n",
    ),
    "a package": (
        b"const _ = require('lodash')",
        "put what it needs from npm into it with: npx esbuild script.js --bundle",
    ),
    "process": (b"process.env", "bundle it with --define:process.env={}."),
    "__dirname": (b"__dirname", "nothing of Node that depends on the machine."),
    "fetch": (b"fetch('http://example.org')", "A backend script reaches no network"),
    "a module that imports a package": (
        b"import fs from 'fs'\nexport function x () {}",
        "bad.js: Error: Cannot find module 'fs': a backend script has its own files",
    ),
    "a module that is none": (
        b"import path from 'path'\nexport const x = ;",
        "bad.js:2:18: SyntaxError: unexpected token in expression: ';'\n"
        "export const x = ;\n                 ^",
    ),
    "half a module": (
        b"const a = await System.files.exists('/a')\nexports.x = () => 1",
        "bad.js:2:1: ReferenceError: exports is not defined\nexports.x = () => 1\n^\n"
        "    at <anonymous> (bad.js:2:1)\n"
        "A script with import, export or await at its top is an ES module",
    ),
    "await in a plain function": (
        b"exports.x = () => { await System.files.readFile('/a') }",
        "await works in async functions, and at the top of an ES module.",
    ),
    "a module that never loads": (
        b"export const x = () => 1\nawait new Promise(() => {})",
        "bad.js: what the script, its init or upgrade waits for never settles",
    ),
    "a class": (
        b"module.exports = new (class { x () {} })()",
        "the methods of a class, do not count",
    ),
    "no exports": (b"exports.x = 1", "bad.js: the script exports no function\nWrite exports."),
    "forgotten exports": (
        b"let i = 0\nasync function increment () { return ++i }",
        "Nothing is exported. Write, for example: exports.increment = increment",
    ),
    "a forgotten arrow": (b"const get = async (x) => x", "exports.get = get"),
    "exports that are replaced": (
        b"exports = { a: () => 1 }",
        "exports = \u2026 changes only the variable of this name: write module.exports = \u2026",
    ),
    "an empty script": (b"", "bad.js: the script exports no function"),
    "only init": (b"exports.init = () => {}", "bad.js: the script exports no function"),
    "an infinite loop while loading": (
        b"for (;;);",
        f"Out of gas: a call may use 200,000,000 (ERR_GAS)\nNothing was recorded. {LIMIT}",
    ),
    "endless allocation while loading": (
        b"const a = []; for (;;) a.push(new Uint8Array(1e6))",
        "Out of memory or stack: a call may use 67,108,864 bytes (ERR_MEMORY)",
    ),
    "endless recursion while loading": (
        b"const f = () => f() + 1; f()",
        "bad.js:1:16: RangeError: Maximum call stack size exceeded",
    ),
    "an infinite loop in init": (
        b"exports.a = 1; exports.init = async () => { await System.files.writeFile('/x', 1); for (;;); }",
        f"Out of gas: a call may use 200,000,000 (ERR_GAS)\nNothing was recorded. {LIMIT}",
    ),
    "an init that never settles": (
        b"exports.init = () => new Promise(() => {})",
        "bad.js: what the script, its init or upgrade waits for never settles\nNothing was recorded.",
    ),
    "an init that throws": (
        b"exports.a = () => 1; exports.init = async () => { throw new Error('not today') }",
        "bad.js:1:61: Error: not today\n",
    ),
    "a large script": (b"//" + b" " * 2**20, "the script is larger than 1,048,576 bytes"),
}


def refused(*arguments: str, exit_code: int = 2) -> str:
    """Start a server that does not come up, and return what it says."""
    done = in_process("exec", *arguments, "-p", "0")
    assert done.exit_code == exit_code, done.output
    assert done.stdout == ""
    assert done.stderr.startswith("nodevms: ")
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("name", BAD_SCRIPTS)
def test_a_bad_script_is_explained_and_leaves_nothing(place: Path, name: str) -> None:
    text, sentence = BAD_SCRIPTS[name]
    (place / "bad.js").write_bytes(text)
    assert sentence in refused("bad.js", *LIMITS)
    assert [path.name for path in place.iterdir()] == ["bad.js"]


def test_what_is_no_javascript_is_explained(place: Path) -> None:
    (place / "typed.ts").write_text("exports.add = (a: number, b: number) => a + b")
    said = refused("typed.ts")
    assert "typed.ts:1:17: SyntaxError" in said
    assert "npx esbuild typed.ts --bundle --platform=node --format=cjs --outfile=script.js" in said
    (place / "package.json").write_text('{"name": "a", "main": "index.js"}')
    assert "This is no script. Name the file that it describes." in refused("package.json")


def test_what_is_no_script_file_is_explained(place: Path) -> None:
    assert "missing.js: no such script" in refused("missing.js")
    assert "is a folder, not a script\nName the script in it.\n" in refused(str(place))
    Path("lib").mkdir()
    Path("lib/main.js").write_text("exports.a = () => 1")
    Path("package.json").write_text('{"main": "lib/main.js"}')
    assert f"such as {place / 'lib' / 'main.js'}." in refused(str(place))
    Path("package.json").write_text('{"main": ["' + "\0" * 9)
    Path("index.js").write_text("")
    assert f"such as {place / 'index.js'}." in refused(str(place))
    assert "Did you mean lib/main.js?" in refused("lib/main")
    assert "Did you mean lib/main.js?" in refused("lib/mian.js")
    assert "Did you mean" not in refused("lib/other.js")
    os.mkfifo("pipe.js")
    assert "pipe.js: the script is no regular file" in refused("pipe.js")
    assert "the script is no regular file" in refused("/dev/zero")
    assert "not a directory" in refused(COUNTER, "--dir", COUNTER)
    Path("script").write_text("exports.a = () => 1")
    assert "script is not a directory" in refused("script")  # its own name is the default


def test_a_bad_upgrade_or_restart_leaves_the_backend_as_it_was(place: Path) -> None:
    with serving(COUNTER):
        pass
    log = (place / "counter" / "call-log.data").read_bytes()
    Path("counter.js").write_text("for (;;);")
    assert LIMIT in refused("counter.js", "--upgrade", *LIMITS)
    Path("counter.js").write_text(
        "exports.upgrade = () => { throw new Error('stay') }; exports.a = () => 1"
    )
    assert "Error: stay" in refused("counter.js", "--upgrade")
    assert (place / "counter" / "call-log.data").read_bytes() == log
    with serving(COUNTER) as server:
        assert call_with_npm_client(server.address, ("increment", [])) == [{"value": 1}]
        assert in_process("verify", server.address).exit_code == 0


def test_a_taken_port_is_found_before_anything_is_recorded(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = nodevms("exec", COUNTER, "-p", port)
        assert done.returncode == 2
        assert f"Cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
        assert "Choose another port with -p." in done.stderr
    assert list(place.iterdir()) == []
    assert "Cannot listen" in refused(COUNTER, "--host", "nowhere.invalid")
    assert "Choose an address of this computer" in refused(COUNTER, "--host", "192.0.2.1")


def foreign(folder: Path) -> None:
    (folder / "letter.txt").write_text("dear")


def newer(folder: Path) -> None:
    (folder / "backend.json").write_text('{"format": 2, "more": true}')


def damaged(folder: Path) -> None:
    (folder / "backend.json").write_text("{")


@pytest.mark.parametrize(
    ("make", "sentence", "hint"),
    [
        (foreign, "is not empty and holds no backend", "Choose an empty or new directory"),
        (newer, "was written by a newer nodevms (directory format 2; this one knows 1)", "Upgrade"),
        (damaged, "backend.json is damaged", ""),
    ],
)
def test_a_directory_that_is_not_ours_is_refused_and_not_touched(
    place: Path, make: Callable[[Path], None], sentence: str, hint: str
) -> None:
    Path("other").mkdir()
    make(Path("other"))
    before = {path.name: path.read_bytes() for path in Path("other").iterdir()}
    said = refused(COUNTER, "--dir", "other")
    assert sentence in said
    assert hint in said
    assert {path.name: path.read_bytes() for path in Path("other").iterdir()} == before


def test_a_backend_of_another_script_setting_or_title_is_refused(place: Path) -> None:
    with serving(COUNTER, "--title", "Mine"):
        assert "in use by another process (process " in refused(COUNTER)
    log = (place / "counter" / "call-log.data").read_bytes()
    said = refused(example("rand.js"), "--dir", "counter")
    assert "belongs to another script" in said
    assert "--upgrade" in said
    assert "Start it without --debug, or begin another one with --dir." in refused(
        COUNTER, "--debug"
    )
    assert "its title cannot be changed" in refused(COUNTER, "--title", "Yours")
    assert (place / "counter" / "call-log.data").read_bytes() == log


def test_a_directory_that_cannot_be_written_is_refused(place: Path) -> None:
    Path("file").write_text("")
    assert "is not a directory" in refused(COUNTER, "--dir", "file/below", exit_code=3)
    assert "cannot be made" in refused(COUNTER, "--dir", "file/far/below", exit_code=3)
    assert "File name too long" in refused(COUNTER, "--dir", "x" * 300, exit_code=3)


WITHOUT_PRIVILEGE = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE: root gets no further
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="root's privilege is dropped as Linux does it")
@pytest.mark.parametrize("directory", ["locked/new", "locked"])
def test_a_directory_without_permission_is_refused(place: Path, directory: str) -> None:
    Path("locked").mkdir(mode=0o555)
    command = [sys.executable, "-c", WITHOUT_PRIVILEGE]
    command += nodevms_command("exec", COUNTER, "--dir", directory, "-p", "0")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3, done.stderr
    assert "locked is not writable" in done.stderr
    assert "Choose a directory that you may write with --dir." in done.stderr
    assert list(Path("locked").iterdir()) == []


def test_what_a_killed_start_left_is_cleared_by_the_next(place: Path) -> None:
    draft = place / ".counter.0123456789abcdef.new"
    draft.mkdir()
    (draft / "lock").write_text("")
    (draft / "call-log.data").write_text("begun")
    here = place / "here"  # a directory that was there before: it is begun in place
    here.mkdir()
    (here / "backend.json.new").write_text("begun")
    (here / "call-log.data").write_text("begun")
    with serving(COUNTER), serving(COUNTER, "--dir", "here") as server:
        assert call_with_npm_client(server.address, ("increment", [])) == [{"value": 1}]
        assert not draft.exists()
    names = {path.name for path in here.iterdir()}
    assert {"backend.json", "call-log.data", "files", "lock", "state.db"} <= names
    assert "backend.json.new" not in names
    assert in_process("verify", "here").exit_code == 0


def test_exports_that_the_server_s_own_methods_hide_are_told(place: Path) -> None:
    (place / "own.js").write_text("exports.handshake = () => 1; exports.x = () => 2")
    with serving("own.js") as server:
        assert call_with_npm_client(server.address, ("x", [])) == [{"value": 2}]
        assert server.stop() == 0
        assert "export 'handshake' cannot be called" in server.log()
