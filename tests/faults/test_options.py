"""``nodevms exec``: that each option does what docs/exec.md says, and that it lists them all."""

from __future__ import annotations

import http.client
import json
import re
import stat
from pathlib import Path

import click
import pytest
from command_line import PATIENCE_S, ROOT, example, in_process, serving

from nodevms.cli.exec_ import command
from nodevms.vm.running import QUEUE_CEILING, QUEUE_MAX

COUNTER = example("counter.js")
PAGE = (ROOT / "docs" / "exec.md").read_text()
CALL = b'{"jsonrpc":"2.0","method":"increment","id":1}'


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_lists_the_options_with_their_defaults() -> None:
    listed = {
        tuple(re.findall(r"`(-[^`]+)`", row[0])): row[1].strip("`") for row in rows("Options")
    }
    context = click.Context(command, help_option_names=["-h", "--help"])
    options = {
        (*each.opts, *each.secondary_opts): each
        for each in command.get_params(context)
        if each.param_type_name == "option"
    }
    assert set(listed) == set(options)
    shown = in_process("exec", "--help").output
    for names, default in listed.items():
        assert all(name in shown for name in names)
        if getattr(options[names], "show_default", None):
            assert f"[default: {default}" in " ".join(shown.split())
            assert str(options[names].default) == default or options[names].is_flag


def test_the_page_s_limits_are_those_of_the_code() -> None:
    assert f"1 to {QUEUE_CEILING:,}" in PAGE
    assert f"`--queue` | {QUEUE_MAX} " in PAGE


def test_help_says_what_is_public_and_shows_examples() -> None:
    shown = " ".join(in_process("exec", "--help").output.split())
    assert "public for ever" in shown
    assert "nodevms exec ./counter.js -p 8080 --dir ./my-counter-files" in shown


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["--limit", "petrol=1"], ["there is no limit 'petrol'", "Limits are gas, memory_bytes"]),
        (["--limit", "gas"], ["the limit gas takes a whole number, as in gas=1000000000"]),
        (["--limit", "gas=-1"], ["the limit gas takes a whole number"]),
        (["--limit", "gas=" + "9" * 5000], ["the limit gas takes a whole number"]),
        (["--limit", "gas=0"], ["gas is 0; allowed are 1 to 100,000,000,000"]),
        (
            ["--limit", "args_bytes=4000000"],
            ["args_bytes is 4,000,000; allowed are 1 to 2,097,152"],
        ),
        (["--queue", "0"], ["the queue is 0 calls long; allowed are 1 to 100,000"]),
        (["--queue", "many"], ["'many' is not a valid integer"]),
        (["--title", "a\nb"], ["a title is one line of at most 200 characters"]),
        (["--title", "x" * 201], ["a title is one line of at most 200 characters"]),
        (["--allow-origin", "example.org"], ["is not an origin such as https://example.org"]),
        (["-p", "70000"], ["70000 is not in the range 0<=x<=65535"]),
        (["--log-level", "loud"], ["'loud' is not one of 'debug', 'info', 'warning', 'error'"]),
        (["--bootstrap", "127.0.0.1:6881"], ["--bootstrap is for --dht"]),
        (["--no-swarm", "--dht"], ["--no-swarm (or NODEVMS_SWARM=no) shares nothing"]),
        (["--no-such"], ["No such option '--no-such'"]),
        (["and", "more"], ["Got unexpected extra arguments (and more)"]),
    ],
)
def test_a_wrong_option_is_explained_and_nothing_is_made(
    place: Path, arguments: list[str], sentences: list[str]
) -> None:
    done = in_process("exec", COUNTER, "-p", "0", *arguments)
    assert done.exit_code == 2, done.output
    for sentence in sentences:
        assert sentence in done.output
    assert list(place.iterdir()) == []


def test_the_directory_is_made_in_the_current_folder_and_keeps_its_secrets(place: Path) -> None:
    (place / "scripts").mkdir()
    (place / "scripts" / "my.counter.js").write_text("exports.a = () => 1")
    with serving("scripts/my.counter.js") as server:
        assert server.directory == place / "my.counter"
        described = {row[0].split("`")[1] for row in rows("The directory")}
        assert described >= {"backend.json", "call-log.*", "lock", "state.db*"}
        secrets = list(server.directory.rglob("*secret_key"))
        assert len(secrets) == 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def answered(port: int, host: str = "127.0.0.1", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    connection.request("POST", "/", CALL, {"Content-Type": "application/json", **headers})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_another_host_and_origin_are_let_in_as_documented(place: Path) -> None:
    origin = "https://example.org"
    with serving(COUNTER, "--host", "0.0.0.0", "--allow-origin", origin) as server:
        assert server.address == f"0.0.0.0:{server.port}"
        for host, status in (
            (f"127.0.0.1:{server.port}", 200),
            (f"192.0.2.7:{server.port}", 200),  # an address cannot be made to point elsewhere
            ("example.org", 200),
            ("evil.example", 403),
        ):
            assert answered(server.port, Host=host).status == status
        allowed = answered(server.port, Origin=origin)
        assert (allowed.status, allowed.headers["Access-Control-Allow-Origin"]) == (200, origin)
        assert answered(server.port, Origin="https://evil.example").status == 403


def test_loopback_has_two_families(place: Path) -> None:
    with serving(COUNTER, "--host", "::1") as server:
        assert server.address == f"[::1]:{server.port}"
        assert answered(server.port, "::1").status == 200
        assert in_process("call", server.address, "increment").output == "2\n"
    with serving(COUNTER, "--host", "localhost") as server:
        assert answered(server.port).status == 200
        assert answered(server.port, "localhost").status == 200


def test_the_queue_s_length_is_the_operator_s_choice(place: Path) -> None:
    Path("slow.js").write_text("exports.slow = () => { for (let i = 0; i < 5000000; i++); }")
    batch = json.dumps([{"jsonrpc": "2.0", "method": "slow", "id": n} for n in range(10)])
    with serving("slow.js", "--queue", "3", "--limit", "gas=10000000000") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        connection.request("POST", "/", batch, {"Content-Type": "application/json"})
        answers = json.loads(connection.getresponse().read())
        connection.close()
    full = [answer["id"] for answer in answers if "error" in answer]
    assert full in (list(range(3, 10)), list(range(4, 10)))
    assert {answer["error"]["code"] for answer in answers if "error" in answer} == {-32002}
