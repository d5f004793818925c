"""What the program of 2017 gets wrong, one test for each point of the list: ours gets it right.

One backend that is served twice, called by the client of 2017, and one verification of the whole.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cheating_host as host
import pytest
from command_line import Server, call_with_npm_client, example, in_process, serving

from nodevms.vm import CallLog
from nodevms.vm.entries import Call

SCRIPT = str(Path(__file__).with_name("originals_faults.js"))
OPTIONS = ("--limit", "gas=300000000")
MIB = 1 << 20

BEFORE = [
    ("increment", []),
    ("infiniteLoop", []),
    ("neverSettles", []),
    ("timerThrows", []),
    ("allocate", []),
    ("circular", []),
    ("throwUndefined", []),
    ("random", []),
    ("now", []),
    ("mtime", []),
    ("url", []),
    ("keepTime", []),
    ("fail", []),
    ("increment", []),
]


@dataclass
class Run:
    """The backend after all of it.

    Attributes:
        answers: What each call of ``BEFORE`` gave, by its method; the last of two.
        again: What ``increment`` gave after the restart.
        escapes: What the ways out of the sandbox gave.
        large: What 9 MiB and 17 MiB of arguments gave, and the call after them.
        named: How a client fared that said to be bob.
        directory: The directory, not in use.
    """

    answers: dict[str, Any]
    again: Any
    escapes: list[Any]
    large: list[Any]
    named: str
    directory: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("faults") / "backend"
    options = (SCRIPT, "--dir", str(directory), *OPTIONS)
    with serving(*options) as server:
        answers = call_with_npm_client(server.address, *BEFORE)
    with serving(*options) as server:
        again = call_with_npm_client(server.address, ("increment", []))[0]
        escapes = call_with_npm_client(server.address, *WAYS_OUT)
        large = _large(server)
        with pytest.raises(AssertionError) as refused:
            call_with_npm_client(server.address, ("whoami", []), user="bob")
    return Run(
        answers={method: answer for (method, _), answer in zip(BEFORE, answers, strict=True)},
        again=again,
        escapes=escapes,
        large=large,
        named=str(refused.value),
        directory=directory,
    )


WAYS_OUT = [
    (method, [f"return {expression}"])
    for method in ("escapeByThis", "escapeByBuffer", "escapeByHost")
    for expression in ("process.env", "require('fs')", "global.process", "typeof process")
]


def _large(server: Server) -> list[Any]:
    return [
        *call_with_npm_client(server.address, ("size", ["x" * (9 * MIB)])),
        *call_with_npm_client(server.address, ("size", ["x" * (17 * MIB)])),
        *call_with_npm_client(server.address, ("size", ["x" * 1000])),
    ]


def verified(directory: Path) -> dict[str, Any]:
    done = in_process("verify", str(directory), "--no-memory", "--json")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_restart_of_a_script_with_state_in_memory_and_an_init_verifies(run: Run) -> None:
    assert run.again == {"value": 1}
    report = verified(run.directory)
    assert (report["verdict"], [start["kind"] for start in report["starts"]]) == (
        "verified",
        ["init", "restart"],
    )


def test_another_script_is_neither_accepted_nor_passed_over(run: Run, tmp_path: Path) -> None:
    done = in_process("exec", example("counter.js"), "--dir", str(run.directory), "-p", "0")
    assert done.exit_code == 2
    assert "belongs to another script" in done.stderr
    other = host.cheat_entry(
        run.directory, tmp_path / "other", 0, lambda entry: entry.update(code=entry["code"] + " ")
    )
    assert (verified(other)["verdict"], verified(other)["entry"]) == ("proved-false", 0)


def test_nothing_that_a_call_does_stops_the_server(run: Run) -> None:
    assert run.answers["infiniteLoop"] == {"error": "Out of gas: a call may use 300,000,000"}
    assert "never settles" in run.answers["neverSettles"]["error"]
    assert run.answers["timerThrows"] == "undefined"
    assert "Out of memory" in run.answers["allocate"]["error"]
    assert run.answers["increment"] == {"value": 2}


def test_nothing_leads_out_of_the_sandbox(run: Run) -> None:
    for (method, (text,)), answer in zip(WAYS_OUT, run.escapes, strict=True):
        if "typeof" in text or "global.process" in text:
            assert answer == {"value": "undefined"}, method
        else:
            assert answer["error"].endswith("is not defined"), (method, text, answer)


def test_a_circular_result_and_a_thrown_undefined_are_errors(run: Run) -> None:
    assert run.answers["circular"] == {"error": "circular reference"}
    assert run.answers["throwUndefined"] == {"error": "The script threw undefined"}


def test_arguments_too_large_to_verify_are_refused_at_once(run: Run) -> None:
    nine, seventeen, after = run.large
    assert "1,048,576" in nine["error"]
    assert seventeen == {"error": "the connection was closed"}
    assert after == {"value": 1000}
    with CallLog.open(run.directory) as log:
        sizes = [
            len(bytes(entry.call.args))
            for entry in log.list()
            if isinstance(entry, Call) and entry.call.methodName == "size"
        ]
    assert sizes == [1004]


def test_randomness_time_and_urls_verify(run: Run) -> None:
    assert 0 <= run.answers["random"]["value"] < 1
    assert run.answers["mtime"]["value"] >= run.answers["now"]["value"] > 1_700_000_000_000
    assert run.answers["url"]["value"].startswith("dat://")
    assert run.answers["keepTime"] == "undefined"
    assert verified(run.directory)["verdict"] == "verified"


def test_a_changed_error_message_is_noticed(run: Run, tmp_path: Path) -> None:
    seq = 1 + BEFORE.index(("fail", []))
    assert run.answers["fail"] == {"error": "this message"}
    other = host.cheat_entry(
        run.directory,
        tmp_path / "other",
        seq,
        lambda entry: entry["result"]["err"].update(message="that message"),
    )
    document = verified(other)
    assert (document["verdict"], document["entry"]) == ("proved-false", seq)
    assert (document["field"], "that message" in document["found"]) == ("error", True)


def test_a_caller_is_not_whoever_the_url_says(run: Run, tmp_path: Path) -> None:
    assert "Caller refused" in run.named
    assert b'"userId":"' not in (run.directory / "call-log.data").read_bytes()
    other = host.cheat_entry(
        run.directory, tmp_path / "other", 1, lambda entry: entry["call"].update(userId="bob")
    )
    document = verified(other)
    assert (document["verdict"], document["entry"], document["field"]) == (
        *("proved-false", 1),
        "userId",
    )
    shutil.rmtree(other)
