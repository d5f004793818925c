"""What scripts do wrong, called with the npm client of 2017: each gets its error, nothing is lost.

One server and one client process for all of it; after each bad call a normal one is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command_line import nodevms
from one_server import GAS, Shared, one_server

from nodevms.vm import CallLog
from nodevms.vm.entries import Call, Init

LONG = "/" + "x" * 10_000


def thrown(name: str, message: str, code: str | None = None) -> dict[str, object]:
    error: dict[str, object] = {"code": -32000, "message": name, "data": message}
    return {"error": error if code is None else {**error, "errorCode": code}}


def stopped(code: str, message: str) -> dict[str, object]:
    return thrown("LimitError", message, code)


def falsy(spoken: str, **data: object) -> dict[str, object]:
    return {"error": {"code": -32006, "message": f"The script threw {spoken}", **data}}


def bad_path(message: str) -> dict[str, object]:
    return thrown("InvalidPathError", message)


DOTS = '".." is refused in a path'
CHARACTERS = "a path has no backslash and no control character"
OUT_OF_GAS = stopped("ERR_GAS", f"Out of gas: a call may use {GAS:,}")
UNDEFINED = {"undefined": True}
COUNTED = {"value": "counted"}
"""The call itself was well; what it returns is the number of such calls."""

CASES: dict[str, tuple[str, list[object], object]] = {
    "a circular result": ("circular", [], thrown("TypeError", "circular reference")),
    "a huge result": (
        *("huge", []),
        stopped("ERR_RESULT_SIZE", "The result has 1,048,578 bytes; 1,048,576 are allowed"),
    ),
    "a deep result": (
        *("deep", []),
        stopped("ERR_RESULT_DEPTH", "The result nests deeper than 128 levels"),
    ),
    "NaN and Infinity": ("numbers", [], {"value": [None, None, None, 0]}),
    "members that are no JSON": ("members", [], {"value": {"n": None, "k": 1}}),
    "a function": ("func", [], UNDEFINED),
    "undefined": ("nothing", [], UNDEFINED),
    "BigInt": ("bigint", [], thrown("TypeError", "BigInt are forbidden in JSON.stringify")),
    "a toJSON that throws": ("badToJSON", [], thrown("RangeError", "toJSON")),
    "a getter that throws": ("badGetter", [], thrown("RangeError", "getter")),
    "a proxy that throws": ("badProxy", [], thrown("RangeError", "proxy")),
    "throw undefined": ("throwUndefined", [], falsy("undefined")),
    "throw null": ("throwNull", [], falsy("null", data=None)),
    "throw a circle": ("throwCircular", [], falsy("undefined")),
    "throw a huge error": (
        *("throwHuge", []),
        stopped("ERR_RESULT_SIZE", "The result has 2,097,181 bytes; 1,048,576 are allowed"),
    ),
    "throw a BigInt": ("throwBigInt", [], falsy("undefined")),
    "a rejected promise with nobody waiting": ("nobodyWaits", [], COUNTED),
    "a throw in a timer": ("timerThrows", [], COUNTED),
    "a promise that never settles": (
        *("neverSettles", []),
        stopped("ERR_NEVER_SETTLED", "The promise that the call returned never settles"),
    ),
    "too much written": (
        *("tooMuchWritten", []),
        stopped("ERR_WRITTEN_BYTES", "The call would write more than 16,777,216 bytes"),
    ),
    "an infinite loop": ("infiniteLoop", [], OUT_OF_GAS),
    "infinite promises": ("infinitePromises", [], OUT_OF_GAS),
    "infinite timers": ("infiniteTimers", [], OUT_OF_GAS),
    "a pattern that backtracks for ever": ("hungryPattern", [], OUT_OF_GAS),
    "endless allocation": (
        *("endlessAllocation", []),
        stopped("ERR_MEMORY", "Out of memory or stack: a call may use 67,108,864 bytes"),
    ),
    "endless text": ("endlessText", [], thrown("InternalError", "string too long")),
    "a huge buffer": ("hugeBuffer", [], thrown("RangeError", "invalid array buffer length")),
    "endless recursion": (
        *("endlessRecursion", []),
        thrown("RangeError", "Maximum call stack size exceeded"),
    ),
    "endless nesting": ("deepJSON", [], thrown("RangeError", "Maximum call stack size exceeded")),
    "a path with ..": ("write", ["/a/../b", "x"], bad_path(DOTS)),
    "a path that leads out": ("write", ["/../../etc/passwd", "x"], bad_path(DOTS)),
    "a path with NUL": ("write", ["/a\0b", "x"], bad_path(CHARACTERS)),
    "a path with backslashes": ("write", ["\\..\\a", "x"], bad_path(CHARACTERS)),
    "a path of 10,000 characters": (
        "write",
        [LONG, "x"],
        bad_path("a path has at most 4096 bytes"),
    ),
    "reading a path with ..": ("read", ["../a"], bad_path(DOTS)),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with one_server(tmp_path_factory.mktemp("bad_calls")) as server:
        yield server


@pytest.fixture(scope="module")
def ends(shared: Shared) -> dict[str, tuple[Any, Any]]:
    """How each case ended, and the normal call after it."""
    calls: list[tuple[str, list[object]]] = []
    for method, arguments, _ in CASES.values():
        calls += (method, arguments), ("ok", [])
    answers = shared.with_npm_client(calls)
    return dict(zip(CASES, zip(answers[::2], answers[1::2], strict=True), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_bad_call_gets_its_error(ends: dict[str, tuple[Any, Any]], name: str) -> None:
    got, _ = ends[name]
    expected: Any = CASES[name][2]
    if expected == COUNTED:
        assert got["value"] > 0
        return
    assert got == expected


def test_the_server_goes_on_after_each_as_if_nothing_had_been(
    ends: dict[str, tuple[Any, Any]],
) -> None:
    counted = 0
    for name, (got, then) in ends.items():
        counted += (CASES[name][2] == COUNTED) + 1
        assert then == {"value": counted}, name
        assert CASES[name][2] != COUNTED or got == {"value": counted - 1}
    assert counted > len(CASES)


def test_what_goes_wrong_behind_a_call_is_in_the_host_s_log(
    shared: Shared, ends: dict[str, tuple[Any, Any]]
) -> None:
    assert ends
    log = shared.server.log()
    for name, text in (
        ("a rejected promise with nobody waiting", "Uncaught (in promise) Error: nobody waits"),
        ("a throw in a timer", "Uncaught Error: in a timer"),
        ("a getter that throws", "badGetter() failed: RangeError: getter"),
    ):
        seq = 1 + 2 * list(CASES).index(name)
        assert f"nodevms.script: entry {seq}: {text}\n" in log
        assert f"nodevms.script: entry {seq}:     at " in log
    assert "Traceback" not in log


def test_everything_is_logged_once_in_order_and_verifies(
    shared: Shared, ends: dict[str, tuple[Any, Any]], tmp_path: Path
) -> None:
    assert ends
    log = CallLog.open(shared.server.directory)
    entries = list(log.list())
    log.close()
    assert isinstance(entries[0], Init)
    names = [entry.call.methodName for entry in entries if isinstance(entry, Call)]
    assert names == shared.logged
    assert len(entries) == len(names) + 1
    done = nodevms("verify", shared.server.address, "--no-memory", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert f'"calls": {len(names)}' in done.stdout
