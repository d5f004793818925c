"""The prompt in this process: inputs from a pipe, and ``-e``."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest
from served import Nodevms, Serving, lasting_port, serving

from nodevms.cli.prompt.failure import Failure
from nodevms.cli.prompt.link import Link
from nodevms.cli.prompt.session import Screen, Session
from nodevms.rpc import Answer, Method


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("let x = await client.echo(4)\nx + 1", "5"),
        ("let x = 1\nlet x = x + 1\nx", "2"),
        ("const x = 1\nconst x = 2\nx", "2"),
        ("var { a, b: [c = 3] } = await client.echo({ a: 1, b: [] })\n[a, c]", "[ 1, 3 ]"),
        ("let y, x = 1\n[y, x]", "[ undefined, 1 ]"),
        ("let y = 5\nlet y\n[y]", "[ undefined ]"),
        ("var t = setTimeout(() => console.log('too early'), 1e6)\nawait client.echo(1)\n"
         "await client.echo(2)\nclearTimeout(t)", "1\n2"),
        ("class P { constructor () { this.q = 1 } }\nclass P { z = 2 }\nnew P()", "P { z: 2 }"),
        ("function f () { return 7 }\nf()", "7"),
        ("async function f () { return client.echo(8) }; await 0\nf()", "0\n8"),
        ("class Q {}; await 1\ntypeof Q", "1\n'function'"),
        ("for (var i = 0; i < 2; i++) await client.nothing()\ni", "2"),
        ("for (var k of await client.echo([5, 6])) {}\nk", "6"),
        ("for await (const q of [client.echo(1)]) var last = q\nlast", "1"),
        ("await (client.echo(3))", "3"),
        ("await [1, 2]", "[ 1, 2 ]"),
        ("if (true) { await 1; var z = 9 }\nz", "9"),
        ("5 + 5\n_ * 2", "10\n20"),
        ("{a: 1}", "{ a: 1 }"),
        ("{ a: await client.echo(1) }", "{ a: 1 }"),
        ("{ let q = 1; q + 1 }", "2"),
        ("{}", "{}"),
        ("if (true) {\n  6\n}", "6"),
        ("client.echo(\n\n  [1,\n  2])", "[ 1, 2 ]"),
        ("`a\nb`.length", "3"),
        ("/* a\nb */ 4", "4"),
        ("{a: 1,\nb: 2}", "{ a: 1, b: 2 }"),
        ("let f = async () => {\n  await 1\n  return 2\n}\nf()", "2"),
        ("undefined\nclient.nothing()", ""),
        ("null", "null"),
        ("[undefined, NaN, -0, 1n]", "[ undefined, NaN, -0, 1n ]"),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("new Map([[1, new Set('a')]])", "Map(1) { 1 => Set(1) { 'a' } }"),
        ("Buffer.from('hi')", "<Buffer 68 69>"),
        ("System.oracle(() => 1).catch(String)\nfetch('http://localhost').catch(e => e.message.slice(0, 12))", "'Error: There are no oracles here'\n'fetch can be'"),
        ("'text'", "'text'"),
        ("'\\u009b31m'", "'\\x9b31m'"),
        ("new Promise(() => {})", "Promise { <pending> }"),
        ("Promise.all([client.echo(1), client.echo('b')])", "[ 1, 'b' ]"),
        ("typeof client.increment", "'function'"),
        ("client.echo('ö😀\\ud800').then(s => s.length)", "4"),
        ("console.log('said'); 1", "said\n1"),
        ("setTimeout(() => console.log('later'), 5); 1", "1\nlater"),
        ("await new Promise(done => setTimeout(done, 5, 'woken'))", "'woken'"),
        ("var n = 0; var t = setInterval(() => { if (++n == 3) clearInterval(t) }, 1)\n"
         "await new Promise(done => setTimeout(done, 60)); n", "3"),
        ("const then = Date.now(); await new Promise(done => setTimeout(done, 20))\n"
         "Date.now() - then >= 20", "true"),
        ("new Error('mine')", "Error: mine\n    at <input> (1:5)"),
        ("({ e: new Error('mine'), n: 1 })", "{\n  e: Error: mine\n      at <input> (1:11),\n  n: 1\n}"),
        (".methods", None),
    ],
)  # fmt: skip
def test_what_is_typed_is_shown(
    backend: Serving, nodevms: Nodevms, typed: str, shown: str | None
) -> None:
    done = nodevms("repl", backend.address, input=f"{typed}\n")
    assert done.stderr == ""
    assert done.exit_code == 0
    if shown is None:
        assert "client.add(a, b, rest)" in done.stdout.splitlines()
    else:
        assert done.stdout == (f"{shown}\n" if shown else "")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("foo.bar()", "ReferenceError: foo is not defined\n    foo.bar()\n    ^\n"),
        (
            "let q = 1\nlet ö = q + nope",
            "ReferenceError: nope is not defined\n    let ö = q + nope\n                ^\n",
        ),
        ("let x = = 3", "    let x = = 3\n            ^\n"),
        (
            "client.nosuch(1)",
            "TypeError: client.nosuch is not a function\n    client.nosuch(1)\n           ^\n",
        ),
        (
            "function f (a) {\n  return a.b.c\n}\nf({})",
            "      return a.b.c\n             ^\n    at f (2:10)\n    at <input> (1:1)\n",
        ),
        ("const c = 1\nc = 2", "TypeError: 'c' is a constant; declare it anew to change it"),
        ("throw 5", "Uncaught 5\n"),
        ("throw undefined", "Uncaught undefined\n"),
        (
            "client.fail('no')",
            "RangeError [E_OWN]: no\n    at <anonymous> (script.js:7:64)\n    from the backend's script; ",
        ),
        ("client.throwValue({ a: 1 })", 'ThrownValue: {"a":1}\n    from the backend\'s script'),
        ("client.loop()", "LimitError [ERR_GAS]: Out of gas: a call may use 200,000,000\n"),
        ("await new Promise(() => {})", "What is awaited never settles"),
        ("client.fail('alone'); undefined", "Uncaught (in promise)"),
        ("setTimeout(() => nope, 1)", "ReferenceError: nope is not defined\n    setTimeout("),
        ("client.echo(10n)", "TypeError: BigInt"),
        ("System.files.readFile('/x')", "There are no files at the prompt"),
        ("(function f () { return f() + 1 })()", "RangeError: Maximum call stack size exceeded"),
        (".nosuch", "There is no command .nosuch. Type .help for those there are."),
        ("JSON.parse('{x')", "SyntaxError: "),
    ],
)
def test_what_goes_wrong_is_told_with_its_place(
    backend: Serving, nodevms: Nodevms, typed: str, told: str
) -> None:
    done = nodevms("repl", backend.address, input=f"{typed}\n40 + 2\n")
    assert told in done.stderr
    assert done.stdout.endswith("42\n")
    # No frame of the prompt's own code; the backend's is called like that, too.
    assert "script.js" not in done.stderr.replace("(script.js:7:64)", "")


def test_the_exit_code_of_a_pipe_is_that_of_its_worst_input(
    backend: Serving, nodevms: Nodevms
) -> None:
    assert nodevms("repl", backend.address, input="1\n").exit_code == 0
    assert nodevms("repl", backend.address, input="throw 1\n1\n").exit_code == 1
    ended = nodevms("repl", backend.address, input="1\n.exit\nthrow 1\n")
    assert (ended.exit_code, ended.stdout) == (0, "1\n")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["client.echo('raw text')"], "raw text\n"),
        (["'x'.repeat(100000)"], "x" * 100_000 + "\n"),
        (["client.echo({ a: [1] })"], "{ a: [ 1 ] }\n"),
        (["client.nothing()"], ""),
        (["let a = await client.echo(2); a * 2"], "4\n"),
        (["client.echo('text')", "--json"], '"text"\n'),
        (["({ a: [1, NaN], d: new Date(0) })", "--json"],
         '{"a":[1,null],"d":"1970-01-01T00:00:00.000Z"}\n'),
        (["undefined", "--json"], ""),
        (["console.log('not the value'); 5"], "5\n"),
        (["client.who()", "-u", "bob"], "bob\n"),
        (["setTimeout(() => client.increment(), 1); 3"], "3\n"),
    ],
)  # fmt: skip
def test_an_expression_prints_its_value_and_nothing_else(
    backend: Serving, nodevms: Nodevms, arguments: list[str], shown: str
) -> None:
    done = nodevms("repl", backend.address, "-e", *arguments)
    assert (done.exit_code, done.stdout) == (0, shown)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "told"),
    [
        (["-e", "client.fail('no')"], 1, "RangeError [E_OWN]: no"),
        (["-e", "nope"], 1, "nope is not defined"),
        (
            ["-e", "1 +\n"],
            1,
            "SyntaxError: unexpected token in expression: ''\n    1 +\n       ^\n",
        ),
        (["-e", "setTimeout(() => nope, 1); 1"], 1, "nope is not defined"),
        (["-e", "10n", "--json"], 1, "BigInt"),
        (["-e", "client.fail('alone'); 5"], 1, "Uncaught (in promise) RangeError: alone"),
        (["--json"], 2, "--json needs -e"),
        (["-e"], 2, "requires an argument"),
        (["--timeout", "0"], 2, "--timeout"),
    ],
)
def test_an_expression_that_fails_says_so_with_its_exit_code(
    backend: Serving, nodevms: Nodevms, arguments: list[str], exit_code: int, told: str
) -> None:
    done = nodevms("repl", backend.address, *arguments)
    assert done.exit_code == exit_code
    assert told in done.stderr


def test_a_pipe_may_hold_any_bytes(backend: Serving, nodevms: Nodevms) -> None:
    done = nodevms("repl", backend.address, input=b"'\xff\xc3\xb6'.length\r\n1\n")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "2\n1\n", "")


def test_nobody_there_is_exit_code_3_and_no_address_is_2(nodevms: Nodevms) -> None:
    nobody = nodevms("repl", "localhost:1", "-e", "1")
    assert (nobody.exit_code, nobody.stdout) == (3, "")
    assert "Cannot connect to ws://localhost:1/: connection refused" in nobody.stderr
    assert nodevms("repl", "not an address", "-e", "1").exit_code == 2


def test_random_numbers_differ_from_session_to_session(backend: Serving, nodevms: Nodevms) -> None:
    numbers = {nodevms("repl", backend.address, "-e", "Math.random()").stdout for _ in range(3)}
    assert len(numbers) == 3


class Meeting:
    """A backend whose calls are answered only when two of them wait."""

    call_log_url = files_archive_url = "dat://" + "ab" * 32
    code_hash = title = "meeting"
    debug, epoch = False, 0
    methods = (Method("meet", ()),)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[Answer]] = []

    def call(self, _method: str, _arguments: bytes, _caller: str | None) -> asyncio.Future[Answer]:
        self._waiting.append(asyncio.get_running_loop().create_future())
        if len(self._waiting) == 2:
            for number, future in enumerate(self._waiting):
                future.set_result(Answer(b"%d" % number, None, seq=number + 1, epoch=0))
        return self._waiting[-1]


def test_calls_that_are_made_together_are_under_way_together(nodevms: Nodevms) -> None:
    with serving() as server:
        server.start(Meeting())
        typed = "Promise.all([client.meet(), client.meet()])"
        done = nodevms("repl", server.address, "-e", typed, "--timeout", "30")
    assert (done.exit_code, done.stdout) == (0, "[ 0, 1 ]\n")


class Heard(Screen):
    """Keeps what a session shows."""

    def __init__(self) -> None:
        self.values: list[str] = []
        self.failures: list[Failure] = []
        self.notices: list[str] = []
        self.on_console = lambda: None

    def value(self, text: str) -> None:
        self.values.append(text)

    def failure(self, failure: Failure) -> None:
        self.failures.append(failure)

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def console(self, level: str, text: str) -> None:
        self.on_console()


@pytest.mark.parametrize(
    "endless",
    [
        "n = 50; console.log('looping'); for (;;);",
        "n = 50; console.log('waiting'); await new Promise(done => setTimeout(done, 1e8))",
        "n = 50; console.log('calling'); await client.meet()",
        "n = 50; console.log('calling'); for (;;) { client.nosuch; await null }",
    ],
)
def test_ctrl_c_ends_an_input_and_not_the_session(endless: str) -> None:
    heard = Heard()
    heard.on_console = lambda: os.kill(os.getpid(), signal.SIGINT)
    with serving() as server:
        server.start(Meeting())
        link = Link(server.address, None, timeout_seconds=60, notice=heard.notice)
        link.connect()
        session = Session(link, heard, lambda: 1_700_000_000_000)
        try:
            assert session.evaluate("let n = 41") is None
            failure = session.evaluate(endless)
            assert failure == Failure("Interrupted.", "interrupt")
            assert failure.exit_code == 130
            assert session.evaluate("n + 1") is None
        finally:
            session.close()
            link.close()
    assert heard.values == ["42"]


def test_a_lost_connection_is_told_and_made_anew(tmp_path: Path) -> None:
    heard = Heard()
    with serving(lasting_port()) as server:
        server.start_script(tmp_path / "one")
        link = Link(server.address, None, timeout_seconds=60, notice=heard.notice)
        link.connect()
        session = Session(link, heard, lambda: 1_700_000_000_000)
        try:
            session.evaluate("let kept = await client.increment(); kept")
            server.stop()
            lost = session.evaluate("client.increment()")
            assert lost is not None
            assert lost.title.startswith("ConnectionError: Cannot connect to ws://localhost:"), lost
            assert lost.exit_code == 3
            server.start_script(tmp_path / "one")
            session.evaluate("client.increment()")
            server.stop()
            code = "exports.other = () => 'new'"
            server.start_script(tmp_path / "one", code, upgrade=True)
            assert session.evaluate("client.increment()") is not None  # the script has it no more
            session.evaluate("client.other()")
            session.evaluate("kept")
            server.stop()
            server.start_script(tmp_path / "two")
            session.evaluate("client.other()")
        finally:
            session.close()
            link.close()
    assert heard.values == ["1", "1", "'new'", "1"]
    restarted, upgraded, another = heard.notices
    assert "restarted in the meantime" in restarted
    assert "replaced in the meantime" in upgraded
    assert "another backend answers there now" in another


def test_a_call_without_an_answer_is_not_sent_again(nodevms: Nodevms) -> None:
    with serving() as server:
        meeting = Meeting()
        server.start(meeting)
        done = nodevms("repl", server.address, "-e", "client.meet()", "--timeout", "1.5")
        assert done.exit_code == 3
        assert "The outcome of meet is unknown" in done.stderr
        assert "not sent again" in done.stderr
        # The next call is the second one that the server sees.
        next_one = nodevms("repl", server.address, "-e", "client.meet()")
        assert (next_one.exit_code, next_one.stdout) == (0, "1\n")
    with serving() as server:
        server.start(Meeting())
        called = nodevms("call", server.address, "meet", "--timeout", "1.5", "--json")
    assert called.exit_code == 3
    assert json.loads(called.stdout)["error"]["code"] == "outcome-unknown"


def test_names_are_completed_without_running_anything(backend: Serving) -> None:
    heard = Heard()
    link = Link(backend.address, None, timeout_seconds=60, notice=heard.notice)
    link.connect()
    session = Session(link, heard, lambda: 1_700_000_000_000)
    try:
        session.evaluate(
            "var touched = 0; const o = { get bad () { touched++; return {} }, in: { deep: 1 } }"
        )
        assert session.methods["add"] == ("a", "b", "rest")
        assert set(session.members(["client"])) == set(session.methods)
        assert "deep" in session.members(["o", "in"])
        assert session.members(["o", "bad"]) == []
        assert session.members(["nothing", "here"]) == []
        assert {"client", "touched", "Math", "o"} <= set(session.members([]))
        session.evaluate("touched")
    finally:
        session.close()
        link.close()
    assert heard.values == ["0"]
