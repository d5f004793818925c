"""The list of what bad input gets, complete in one place: each item names the tests that hold it.

Each of these gets a clear error, loses nothing and leaves the server serving.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# item: file, test, and the case where the test has a table of them
THE_LIST: dict[str, tuple[str, str, str | None]] = {
    "script missing": ("test_bad_scripts", "test_what_is_no_script_file_is_explained", None),
    "not UTF-8": ("test_bad_scripts", "BAD_SCRIPTS", "not UTF-8"),
    "syntax error (file, line and column)": ("test_bad_scripts", "BAD_SCRIPTS", "a syntax error"),
    "throws while loading": ("test_bad_scripts", "BAD_SCRIPTS", "a throw while loading"),
    "exports nothing": ("test_bad_scripts", "BAD_SCRIPTS", "no exports"),
    "loads for ever": ("test_bad_scripts", "BAD_SCRIPTS", "an infinite loop while loading"),
    "init for ever": ("test_bad_scripts", "BAD_SCRIPTS", "an infinite loop in init"),
    "port taken": (
        *("test_bad_scripts", "test_a_taken_port_is_found_before_anything_is_recorded", None),
    ),
    "directory not writable": (
        *("test_bad_scripts", "test_a_directory_without_permission_is_refused", None),
    ),
    "directory of another backend": (
        *("test_bad_scripts", "test_a_backend_of_another_script_setting_or_title_is_refused", None),
    ),
    "directory from a newer version": (
        *("test_bad_scripts", "test_a_directory_that_is_not_ours_is_refused_and_not_touched", None),
    ),
    "directory locked": (
        *("test_bad_scripts", "test_a_backend_of_another_script_setting_or_title_is_refused", None),
    ),
    "unknown method": ("test_bad_requests", "NO_METHODS", "unknown"),
    "init": ("test_bad_requests", "NO_METHODS", "init"),
    "constructor": ("test_bad_requests", "NO_METHODS", "constructor"),
    "__proto__": ("test_bad_requests", "NO_METHODS", "__proto__"),
    "push": ("test_bad_requests", "NO_METHODS", "push"),
    "malformed JSON": ("test_bad_requests", "BAD_REQUESTS", "no JSON"),
    "wrong JSON-RPC": ("test_bad_requests", "BAD_REQUESTS", "no version"),
    "binary frames": ("test_bad_requests", "test_a_binary_frame_is_refused", None),
    "a 9 MiB message": ("test_bad_requests", "BAD_REQUESTS", "a message of 9 MiB"),
    "arguments above 1 MiB": ("test_bad_requests", "BAD_REQUESTS", "large arguments"),
    "a result above 1 MiB": ("test_bad_calls", "CASES", "a huge result"),
    "limits that Dat cannot carry": (
        *("test_options", "test_a_wrong_option_is_explained_and_nothing_is_made", None),
    ),
    "10,000 pipelined calls": (
        *("test_bad_requests", "test_a_flood_is_cut_at_the_queue_and_every_call_is_answered_once"),
        None,
    ),
    "a client that disconnects in the middle of a message": (
        *("test_bad_requests", "test_a_client_that_goes_in_the_middle_of_a_message_is_forgotten"),
        None,
    ),
    "a client that disconnects in the middle of its calls": (
        *("test_bad_requests", "test_the_calls_of_a_client_that_is_gone_run_and_are_logged", None),
    ),
    "a circular result": ("test_bad_calls", "CASES", "a circular result"),
    "a huge result": ("test_bad_calls", "CASES", "a huge result"),
    "NaN": ("test_bad_calls", "CASES", "NaN and Infinity"),
    "a function": ("test_bad_calls", "CASES", "a function"),
    "undefined": ("test_bad_calls", "CASES", "undefined"),
    "BigInt": ("test_bad_calls", "CASES", "BigInt"),
    "throw undefined": ("test_bad_calls", "CASES", "throw undefined"),
    "a rejected promise": ("test_bad_calls", "CASES", "a rejected promise with nobody waiting"),
    "a throw in a timer": ("test_bad_calls", "CASES", "a throw in a timer"),
    "a promise that never settles": ("test_bad_calls", "CASES", "a promise that never settles"),
    "an infinite loop": ("test_bad_calls", "CASES", "an infinite loop"),
    "endless allocation": ("test_bad_calls", "CASES", "endless allocation"),
    "endless recursion": ("test_bad_calls", "CASES", "endless recursion"),
    "paths with ..": ("test_bad_calls", "CASES", "a path with .."),
    "paths with NUL": ("test_bad_calls", "CASES", "a path with NUL"),
    "paths with backslashes": ("test_bad_calls", "CASES", "a path with backslashes"),
    "paths of 10,000 characters": ("test_bad_calls", "CASES", "a path of 10,000 characters"),
    "endless printing": ("test_console", "test_the_host_s_log_stays_small", None),
    "a stop with calls in flight": (
        *("test_stop", "test_every_accepted_call_is_answered_logged_and_published", None),
    ),
    "kill -9": ("test_crash", "test_what_was_acknowledged_survives_every_kill", None),
    "a torn batch": ("test_damage", "TORN", "the last entry"),
    "damage": ("test_damage", "DAMAGED", "an earlier entry"),
    "a full disk": (
        "test_full_disk",
        "test_a_full_disk_loses_nothing_and_the_backend_goes_on_when_there_is_room",
        None,
    ),
}


@pytest.mark.parametrize("item", THE_LIST)
def test_each_item_has_its_test(item: str) -> None:
    file, name, case = THE_LIST[item]
    if case is not None:
        assert case in getattr(importlib.import_module(file), name)
        return
    tree = ast.parse((HERE / f"{file}.py").read_text())
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    assert name in {node.name for node in tree.body if isinstance(node, functions)}
