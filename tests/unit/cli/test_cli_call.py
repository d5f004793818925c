from __future__ import annotations

import json
from pathlib import Path

import pytest
from served import Nodevms, Serving, serving


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["add", "1", "2"], "3\n"),
        (["add", "1", "-5"], "-4\n"),
        (["add", "1"], "2\n"),
        (["echo", "plain text"], '"plain text"\n'),
        (["echo", '"5"'], '"5"\n'),
        (["echo", "NaN"], '"NaN"\n'),
        (["echo", "[" * 100_000], json.dumps("[" * 100_000) + "\n"),
        (["echo", '{"a": [1e400, 0.10]}'], '{"a":[null,0.1]}\n'),
        (["echo", "ö"], '"ö"\n'),
        (["nothing"], ""),
        (["who", "--user", "bob"], '"bob"\n'),
        (["who"], "null\n"),
        (["echo", "--", "-x"], '"-x"\n'),
        (["echo", "null"], "null\n"),
    ],
)
def test_a_call_prints_the_result_as_json(
    backend: Serving, nodevms: Nodevms, arguments: list[str], printed: str
) -> None:
    done = nodevms("call", backend.address, *arguments)
    assert (done.exit_code, done.stdout, done.stderr) == (0, printed, "")


def test_an_argument_comes_from_standard_input(backend: Serving, nodevms: Nodevms) -> None:
    for text, printed in (
        ("two\nlines\n", '"two\\nlines"\n'),
        ('{"a":1}\n', '{"a":1}\n'),
        ("", '""\n'),
    ):
        assert nodevms("call", backend.address, "echo", "-", input=text).stdout == printed
    twice = nodevms("call", backend.address, "add", "-", "-", input="1")
    assert (twice.exit_code, twice.stdout) == (2, "")
    binary = nodevms("call", backend.address, "echo", "-", input=b"\xff\xfe")
    assert binary.exit_code == 2
    assert "not UTF-8 text (byte 0)" in binary.stderr


def test_json_names_the_entry(backend: Serving, nodevms: Nodevms) -> None:
    first = json.loads(nodevms("call", backend.address, "echo", "1", "--json").stdout)
    second = json.loads(nodevms("call", backend.address, "nothing", "--json").stdout)
    assert first == {"result": 1, "seq": first["seq"], "epoch": 0}
    assert second == {"seq": first["seq"] + 1, "epoch": 0}
    failed = nodevms("call", backend.address, "fail", "no", "--json")
    assert failed.exit_code == 1
    told = json.loads(failed.stdout)
    assert told["seq"] == first["seq"] + 2
    assert told["error"]["name"] == "RangeError"
    assert told["error"]["message"] == "no"
    assert told["error"]["errorCode"] == "E_OWN"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "told"),
    [
        (["fail", "no"], 1, "thrown", "RangeError [E_OWN]: no"),
        (["throwValue", "null"], 1, "thrown-value", "nodevms: The script threw null\n"),
        (["throwValue", "7"], 1, "thrown-value", "The script threw 7"),
        (["loop"], 1, "thrown", "LimitError [ERR_GAS]"),
        (["nosuch"], 2, "unknown-method", "no method nosuch\nThe backend has: increment, echo,"),
        (["init"], 2, "unknown-method", "The backend has no method init"),
        (["echo", "x" * 1_100_000], 2, "limit-exceeded", "1,048,576"),
    ],
)
def test_a_call_that_fails_ends_with_its_exit_code(
    backend: Serving,
    nodevms: Nodevms,
    arguments: list[str],
    exit_code: int,
    code: str,
    told: str,
) -> None:
    done = nodevms("call", backend.address, *arguments)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert told in done.stderr
    as_json = nodevms("call", backend.address, *arguments, "--json")
    assert as_json.exit_code == exit_code
    assert json.loads(as_json.stdout)["error"]["code"] == code


def test_nobody_there_no_address_and_a_refused_user(
    backend: Serving, nodevms: Nodevms, tmp_path: Path
) -> None:
    nobody = nodevms("call", "localhost:1", "x", "--json")
    assert nobody.exit_code == 3
    assert json.loads(nobody.stdout)["error"]["code"] == "connection-failed"
    assert nodevms("call", "no address", "x").exit_code == 2
    no_tls = nodevms("call", f"wss://{backend.address}", "x")
    assert no_tls.exit_code == 3
    assert "no TLS there" in no_tls.stderr
    assert f"is reached at ws://{backend.address}/" in no_tls.stderr
    assert "nodevms exec SCRIPT" in nodevms("call", "localhost:1", "x").stderr
    with serving() as server:
        server.start_script(tmp_path / "quiet")
        refused = nodevms("call", server.address, "who", "-u", "bob")
    assert refused.exit_code in (2, 3)
    assert "bob" in refused.stderr or "debug" in refused.stderr


def test_what_a_script_throws_cannot_steer_the_terminal(backend: Serving, nodevms: Nodevms) -> None:
    done = nodevms("call", backend.address, "fail", "\x1b]0;owned\x07\x9b31m\u202e")
    assert "\\x1b]0;owned\\x07\\x9b31m\\u202e" in done.stderr
    prompt = nodevms("repl", backend.address, "-e", "client.fail('\x1b[2J')")
    assert "\\x1b[2J" in prompt.stderr
