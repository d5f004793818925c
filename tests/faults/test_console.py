"""A script that prints endlessly neither fills the host's log nor holds up calls."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from command_line import PATIENCE_S, Server, call_with_npm_client, in_process, serving, start

LOUD = str(Path(__file__).with_name("loud_backend.js"))
CALLS = 100
PRINTED = CALLS * 64 * 1024  # what one call may print, whatever it tries


def shout(server: Server) -> None:
    calls: list[tuple[str, list[object]]] = [("shout", [])] * CALLS
    assert call_with_npm_client(server.address, *calls) == [{"value": "hoarse"}] * CALLS


def test_the_host_s_log_stays_small(place: Path) -> None:
    with serving(LOUD, "--dir", "loud") as server:
        shout(server)
        # A burst of 1 MiB, and 16 KiB for each second that the test may take.
        assert len(server.log()) < (1 << 20) + 16 * 1024 * PATIENCE_S < PRINTED
        assert "nodevms.script: entry 1: xxx" in server.log()
    assert in_process("verify", "loud").exit_code == 0


def test_a_log_that_nobody_reads_holds_up_nothing(place: Path) -> None:
    server = start(LOUD, "--dir", "loud", stderr=subprocess.PIPE)
    shout(server)
    assert server.stop() == 0
    assert server.process.stderr is not None
    server.process.stderr.close()
    server.output.close()
    assert in_process("verify", "loud").exit_code == 0


def test_lines_for_programs_name_the_entry_and_hide_control_characters(place: Path) -> None:
    with serving(LOUD, "--dir", "loud", "--log-format", "json") as server:
        call_with_npm_client(server.address, ("colour", []))
        lines = [json.loads(line) for line in server.log().splitlines()]
    assert [(line["level"], line["seq"], line["message"]) for line in lines] == [
        ("warning", 1, "\\x1b[31mred"),
        ("warning", 1, "second line"),
    ]


def test_mistakes_of_the_script_are_told_with_their_place_and_its_refusals_are_not(
    place: Path,
) -> None:
    methods = ("refuse", "mistaken", "atHome", "endless")
    with serving(LOUD, "--dir", "loud", "--limit", "gas=100000000") as server:
        call_with_npm_client(server.address, *[(method, []) for method in methods])
        assert server.stop() == 0
        lines = server.log().splitlines()
    assert not any("owner" in line for line in lines)
    assert [line.removeprefix("nodevms.script: entry ") for line in lines] == [
        "2: mistaken() failed: TypeError: not a function",
        "2: exports.mistaken = () => System.files.wirteFile('/a', 1)",
        "2: " + " " * 38 + "^",
        "2:     at <anonymous> (loud_backend.js:4:39)",
        "3: atHome() failed: ReferenceError: process is not defined",
        "3: exports.atHome = () => process.env.HOME",
        "3: " + " " * 23 + "^",
        "3:     at <anonymous> (loud_backend.js:5:24)",
        "3: A backend script has no process. If a package asks for process.env, "
        "bundle it with --define:process.env={}.",
        "4: endless() failed: LimitError: Out of gas: a call may use 100,000,000",
    ]


def test_at_the_level_debug_refusals_are_told_too(place: Path) -> None:
    with serving(LOUD, "--dir", "loud", "--log-level", "debug") as server:
        call_with_npm_client(server.address, ("refuse", []))
        assert server.stop() == 0
        assert "entry 1: refuse() failed: Error: You are not my owner!\n" in server.log()


def test_the_operator_chooses_what_is_written(place: Path) -> None:
    with serving(LOUD, "--dir", "loud", "--log-level", "error") as server:
        call_with_npm_client(server.address, ("colour", []))
        assert server.log() == ""
