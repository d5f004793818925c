"""The tutorial through the command line and the real 2017 client, one server a test."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from command_line import (
    NODE,
    PATIENCE_S,
    PEERS,
    ROOT,
    call_with_npm_client,
    example,
    in_process,
    nodevms,
    serving,
)


def test_the_counter_is_served_called_and_verified_as_the_tutorial_prints(place: Path) -> None:
    with serving(example("counter.js")) as server:
        assert re.fullmatch(r"Serving at localhost:\d+", server.lines[0])
        assert server.lines[1] == f"Serving directory {place / 'counter'}"
        assert server.lines[2] == ""
        assert re.fullmatch(r"Files:    dat://[0-9a-f]{64}", server.lines[3])
        assert re.fullmatch(r"Call log: dat://[0-9a-f]{64}", server.lines[4])
        answers = call_with_npm_client(server.address, *[("increment", [])] * 3)
        assert answers == [{"value": 1}, {"value": 2}, {"value": 3}]
        done = nodevms(
            *("verify", server.address, "--files", server.lines[3].split()[1]),
            *("--log", server.lines[4].split()[2]),
        )
        assert done.stdout.splitlines() == [
            f"›Connecting to ws://{server.address}/...",
            "›Connected.",
            "›Downloading call log...",
            "›Downloading files archive...",
            "›Replaying 4 calls...",
            "›Comparing outputs...",
            "✔Call log verified.",
            "✔Output files verified.",
        ]
        assert done.returncode == 0


def test_the_persistent_counter_goes_on_after_a_restart(place: Path) -> None:
    with serving(example("persistent-counter.js")) as server:
        assert call_with_npm_client(server.address, ("increment", [])) == [{"value": 1}]
    with serving(example("persistent-counter.js")) as server:
        assert call_with_npm_client(server.address, ("increment", [])) == [{"value": 2}]
        done = in_process("verify", server.address)
        assert done.exit_code == 0, done.stderr
        assert "entry 2: restart" in done.stdout


def test_a_photo_name_is_taken_once_and_only_once(place: Path) -> None:
    with serving(example("photos.js"), "--dir", "./album") as server:
        photo = ("addPhoto", ["cat.png", "iVBORw==", "base64"])
        assert call_with_npm_client(server.address, photo, photo) == [
            "undefined",
            {"error": "File already exists"},
        ]
        assert in_process("verify", server.address).exit_code == 0
    assert (place / "album" / "backend.json").exists()


def test_only_the_owner_increments_the_secure_counter(place: Path) -> None:
    with serving(example("secure-counter.js"), "--debug") as server:
        bob = call_with_npm_client(
            server.address, ("claimOwnership", []), ("increment", []), user="bob"
        )
        assert bob == ["undefined", {"value": 0}]
        assert call_with_npm_client(server.address, ("increment", []), user="alice") == [
            {"error": "You are not my owner!"}
        ]
        assert call_with_npm_client(server.address, ("claimOwnership", []), user="alice") == [
            {"error": "I already have an owner!"}
        ]
        assert in_process("verify", server.address).exit_code == 0


def test_a_seeded_random_number_verifies(place: Path) -> None:
    with serving(example("rand.js")) as server:
        first, second = call_with_npm_client(server.address, ("rand", []), ("rand", []))
        assert first != second
        assert in_process("verify", server.address).exit_code == 0


def test_what_an_oracle_gave_verifies_and_is_said_to_be_taken_on_trust(place: Path) -> None:
    with serving(example("oracle.js")) as server:
        first, second = call_with_npm_client(server.address, ("rand", []), ("rand", []))
        assert first != second
        done = in_process("call", server.address, "now")
        assert json.loads(done.stdout).endswith("Z")
        done = in_process("verify", server.address)
        assert done.exit_code == 0
        assert (
            "Taken on trust: 3 entries asked 3 oracles; what these gave cannot be checked."
            in done.stdout
        )
        found = json.loads(in_process("verify", server.address, "--json").stdout)
        assert found["trusted"] == {"entries": 3, "oracles": 3, "hosts": {}, "moreHosts": False}


def test_init_runs_once_and_is_no_method(place: Path) -> None:
    for _ in range(2):
        with serving(example("keyserver.js"), "--debug") as server:
            answers = call_with_npm_client(
                server.address, ("set", ["k"]), ("get", ["bob"]), ("list", []), user="bob"
            )
            assert answers == ["undefined", {"value": "k"}, {"value": ["bob"]}]
            assert in_process("verify", server.address).exit_code == 0


def test_other_urls_than_expected_are_proved_false(place: Path) -> None:
    with serving(example("counter.js")) as server:
        done = in_process("verify", server.address, "--log", "dat://" + "0" * 64)
        assert done.exit_code == 1
        assert "Proved false" in done.stderr


def test_a_server_that_is_not_there_could_not_be_checked(place: Path) -> None:
    done = in_process("verify", "localhost:1")
    assert done.exit_code == 3
    assert "Could not check" in done.stderr


def test_a_changed_result_on_disk_is_caught_with_its_entry(place: Path) -> None:
    with serving(example("persistent-counter.js")) as server:
        call_with_npm_client(server.address, *[("increment", [])] * 3)
    data = place / "persistent-counter" / "call-log.data"
    data.write_bytes(data.read_bytes().replace(b'"result":{"res":2,', b'"result":{"res":9,'))
    done = in_process("verify", str(place / "persistent-counter"))
    assert done.exit_code == 1
    assert "entry 2" in done.stderr


def test_another_script_in_an_old_directory_needs_upgrade(place: Path) -> None:
    with serving(example("counter.js")):
        pass
    done = in_process("exec", example("rand.js"), "--dir", "counter", "-p", "0")
    assert done.exit_code == 2
    assert "belongs to another script" in done.stderr
    with serving(example("rand.js"), "--dir", "counter", "--upgrade") as server:
        call_with_npm_client(server.address, ("rand", []))
        done = in_process("verify", server.address)
        assert done.exit_code == 0
        assert "entry 1: upgrade" in done.stdout


def test_call_and_info_round_it_off(place: Path) -> None:
    with serving(example("photos.js"), "--title", "Album") as server:
        done = in_process("call", server.address, "addPhoto", "a.txt", "hello")
        assert (done.exit_code, done.stdout) == (0, "")
        again = in_process("call", server.address, "addPhoto", "a.txt", "hello")
        assert again.exit_code == 1
        assert "File already exists" in again.stderr
        unknown = in_process("call", server.address, "init")
        assert unknown.exit_code == 2
        served = json.loads(in_process("info", server.address, "--json").stdout)
    stored = json.loads(in_process("info", "photos", "--json").stdout)
    assert served["title"] == stored["title"] == "Album"
    assert served["callLog"] == stored["callLog"]
    assert served["codeHash"] == stored["codeHash"]
    assert served["methods"] == ["addPhoto"]
    assert (stored["entries"], stored["filesVersion"]) == (3, 2)


def test_every_command_explains_itself(place: Path) -> None:
    for command in ("exec", "verify", "call", "info"):
        done = in_process(command, "--help")
        assert done.exit_code == 0
        assert f"nodevms {command} " in done.stdout
    assert in_process("--version").stdout.startswith("nodevms")


def test_the_prompt_calls_the_backend_in_our_own_engine(place: Path) -> None:
    with serving(example("secure-counter.js"), "--debug") as server:
        typed = (
            "client.increment()\nvar x = await client.claimOwnership()\nclient.increment()\n"
            "var y = 40; y + 2\n({a: [1, 'b']})\nclient.nothing()\ny\nexit\n"
        )
        command = [sys.executable, "-m", "nodevms.cli", "repl", server.address, "--user", "bob"]
        done = subprocess.run(
            command, input=typed, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert done.stdout.splitlines() == [
            "0",
            "42",
            "{ a: [ 1, 'b' ] }",
            "40",
        ]
        assert "You are not my owner!" in done.stderr
        assert "TypeError" in done.stderr
        one = in_process("repl", server.address, "-u", "bob", "-e", "client.increment()")
        assert (one.exit_code, one.stdout, one.stderr) == (0, "1\n", "")
        failed = in_process("repl", server.address, "-e", "client.increment()")
        assert (failed.exit_code, failed.stdout) == (1, "")
        assert "You are not my owner!" in failed.stderr
    assert in_process("repl", server.address).exit_code == 3


def test_limits_are_set_by_name_and_recorded(place: Path) -> None:
    script = place / "loop.js"
    script.write_text("exports.loop = () => { for (;;); }\nexports.size = x => x.length")
    limits = ("--limit", "gas=500000000", "--limit", "args_bytes=2000000")
    with serving(str(script), *limits) as server:
        answers = call_with_npm_client(
            server.address, ("loop", []), ("size", ["x" * 1_500_000]), ("size", ["x" * 2_500_000])
        )
        assert answers[0] == {"error": "Out of gas: a call may use 500,000,000"}
        assert answers[1] == {"value": 1_500_000}
        assert "error" in dict(answers[2])
        assert in_process("verify", server.address).exit_code == 0


def test_a_kept_copy_is_continued_and_verified_offline(place: Path) -> None:
    with serving(example("persistent-counter.js")) as server:
        call_with_npm_client(server.address, ("increment", []))
        assert in_process("verify", server.address, "--dir", "copy").exit_code == 0
        data = place / "copy" / "call-log.data"
        first = data.read_bytes()
        data.write_bytes(first[:100])
        call_with_npm_client(server.address, *[("increment", [])] * 3)
        done = in_process("verify", server.address, "--dir", "copy")
        assert done.exit_code == 0, done.stderr
        assert data.read_bytes().startswith(first)
        assert len(data.read_bytes()) > len(first)
        own = in_process("verify", server.address, "--dir", "persistent-counter")
        assert own.exit_code == 2
        assert "own directory" in own.stderr
    assert in_process("verify", "copy").exit_code == 0


def test_the_client_is_used_as_the_page_on_the_wire_shows(place: Path) -> None:
    page = (ROOT / "docs" / "rpc.md").read_text()
    (package,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    installed = json.loads((PEERS / "package.json").read_text())
    for kind, packages in json.loads(package).items():
        assert packages.items() <= installed[kind].items()
    (example_code,) = re.findall(r"```js\n(.*?)```", page, re.DOTALL)
    with serving(example("counter.js")) as server:
        code = example_code.replace("localhost:5555", server.address)
        done = subprocess.run(
            [NODE, "-"],
            input=code,
            cwd=PEERS,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
