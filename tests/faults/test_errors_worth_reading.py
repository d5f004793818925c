"""What the operator and the caller read when a script fails, and what the log has of it."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import in_process, serving

THROWING = str(Path(__file__).parent / "throwing_backend.js")
FILE = "throwing_backend.js"

CALLS = {
    "acrossAwaits": [
        "acrossAwaits() failed: Refused: not you",
        "async function deep () { await null; throw new Refused('not you') }",
        " " * 47 + "^",
        f"    at Refused ({FILE}:3:33)",
        f"    at deep ({FILE}:5:48)",
    ],
    "wide": [
        "wide() failed: TypeError: cannot read property 'second' of undefined",
        "\treturn '日本語😀' + list.first.second",
        "\t" + " " * 20 + "^",
        f"    at <anonymous> ({FILE}:10:18)",
    ],
    "later": [
        "Uncaught (in promise) RangeError: nobody waits",
        "  Promise.reject(new RangeError('nobody waits'))",
        " " * 21 + "^",
        f"    at <anonymous> ({FILE}:14:22)",
        "Uncaught TypeError: cannot read property 'inTimer' of undefined",
        "  setTimeout(() => { undefined.inTimer }, 5)",
        " " * 21 + "^",
        f"    at <anonymous> ({FILE}:13:22)",
    ],
    "logs": ["TypeError: only said", f"    at <anonymous> ({FILE}:17:42)"],
    "file": [
        "file() failed: NotFoundError: /missing is not there",
        "  await System.files.readFile('/missing')",
        " " * 21 + "^",
        f"    at <anonymous> ({FILE}:19:22)",
    ],
    "long": [
        "long() failed: TypeError: cannot read property 'z' of null",
        "… 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22]; return x.y.z + list.length }",
        " " * 80 + "^",
        f"    at <anonymous> ({FILE}:21:127)",
    ],
    "value": ['value() failed: thrown value: {"a": 1}'],
    "endless": ["endless() failed: LimitError: Out of gas: a call may use 100,000,000"],
}
ARGUMENTS = {"wide": ["{}"], "long": ['{"y":null}']}


def test_the_host_s_log_shows_the_line_the_column_and_the_stack(place: Path) -> None:
    options = ("--dir", "it", "--limit", "gas=100000000", "--log-level", "debug")
    with serving(THROWING, *options) as server:
        for method in CALLS:
            done = in_process("call", server.address, method, *ARGUMENTS.get(method, []))
            assert FILE not in done.output  # the caller gets name, message and code
        assert server.stop() == 0
        lines = [line for line in server.log().splitlines() if line.startswith("nodevms.script: ")]
    wanted = [
        f"nodevms.script: entry {seq}: {line}"
        for seq, told in enumerate(CALLS.values(), 1)
        for line in told
    ]
    assert lines == wanted


def test_in_debug_mode_the_caller_gets_the_stack_and_the_log_never_does(place: Path) -> None:
    with serving(THROWING, "--dir", "it", "--debug") as server:
        done = in_process("call", server.address, "acrossAwaits")
        told = in_process("call", server.address, "acrossAwaits", "--json")
        typed = in_process("repl", server.address, "-e", "client.acrossAwaits()")
        caught = in_process("repl", server.address, "-e", "client.wide({}).catch(e => e.stack)")
    stack = f"    at Refused ({FILE}:3:33)\n    at deep ({FILE}:5:48)"
    assert f"nodevms: Refused: not you\n{stack}\nFrom the backend's script" in done.stderr
    assert json.loads(told.stdout)["error"]["stack"] == stack
    assert f"Refused: not you\n{stack}\n    from the backend's script; entry 3" in typed.stderr
    assert caught.stdout.startswith("TypeError: cannot read property 'second' of undefined\n    at")
    log = (place / "it" / "call-log.data").read_text().splitlines()
    assert [json.loads(line)["result"].get("err") for line in log[1:4]] == [
        {"name": "Refused", "message": "not you"}
    ] * 3
    assert not any(" at " in line for line in log[1:])
    assert in_process("verify", "it").exit_code == 0
