"""Every fault of the original server, and where it is shown to be none here.

The original is nodevms 1.1.1 with libvms 2.0.2. ``tests/peers/test_the_originals_faults.py`` runs it.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from attack import read_attacks

TESTS = Path(__file__).parents[1]

# What the original gets wrong: the names of attacks, and test files with a test each.
FAULTS: dict[str, list[str | tuple[str, str]]] = {
    "verify fails for ever after a restart of a script with state in memory": [
        "state survives a call and not a restart, and the log verifies",
    ],
    "verify always fails for a script that exports init, which runs at every start, unawaited": [
        "init runs once, awaited, whatever it exports later",
    ],
    "the code in the log is not compared": [
        ("replay/test_replay_lies.py", "test_a_changed_script_is_proved_false"),
    ],
    "another script in the same directory is accepted in silence": [
        (
            "faults/test_bad_scripts.py",
            "test_a_backend_of_another_script_setting_or_title_is_refused",
        ),
    ],
    "an infinite loop stops the server for good": [
        "loops of all kinds",
        "a call stopped by a limit leaves nothing",
    ],
    "a promise that never settles blocks every later call": [
        "a promise that never settles blocks nobody",
    ],
    "a throw in a timer ends the process": ["timers of one call do not fire in another"],
    "an allocation loop aborts it": [
        "memory in all kinds",
        "a call stopped by a limit leaves nothing",
    ],
    "the sandbox is escaped in one line": ["this.constructor.constructor", "Buffer.constructor"],
    "the log's secret key, files and a shell are reachable": [
        "paths that lead out",
        "this.constructor.constructor",
    ],
    "a circular return value hangs every later call": ["circular results"],
    "throw undefined counts as success": ["everything that can be thrown"],
    "9 MiB arguments are accepted and can then never be verified": [
        "arguments that are refused before they run",
        (
            "faults/test_bad_requests.py",
            "test_a_bad_request_is_answered_and_the_connection_goes_on",
        ),
    ],
    "Math.random, Date.now, mtime, getInfo().url or the time in a file make verify fail": [
        "time and randomness are the log's",
    ],
    "only err.name is logged, so that an error message can be changed unnoticed": [
        "an error message is logged whole",
        ("replay/test_replay_every_field.py", "test_every_change_is_caught_or_is_a_statement"),
    ],
    "the caller is whoever the URL says": [
        "two callers, interleaved, with state of their own",
        ("faults/test_bad_requests.py", "test_a_name_without_debug_is_refused"),
    ],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_shown_to_be_none(fault: str) -> None:
    attacks = {attack.name for attack in read_attacks()}
    for shown in FAULTS[fault]:
        if isinstance(shown, str):
            assert shown in attacks
            continue
        file, test = shown
        tree = ast.parse((TESTS / file).read_text())
        functions = ast.FunctionDef | ast.AsyncFunctionDef
        assert test in {node.name for node in tree.body if isinstance(node, functions)}
