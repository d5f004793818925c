"""The scripts of docs/scripts.md, each with the calls and answers below it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nodevms.sandbox import Engine
from nodevms.vm import VM, Limits
from nodevms.vm.entries import ENTRY_BYTES_MAX, JSON_DEPTH_MAX
from nodevms.vm.errors import UnknownMethodError
from nodevms.vm.fetch_request import BODY_BYTES_MAX, HEADERS_MAX
from nodevms.vm.fetching import REDIRECTS_MAX
from nodevms.vm.oracles import FREE_BYTES, HOSTS_MAX
from nodevms.vm.requests import Answer

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "scripts.md").read_text()
EXAMPLES = re.findall(r"```js\n(.*?)```\n```text\n(.*?)```", PAGE, re.DOTALL)
CALL = re.compile(r"(\w*)> (\w+)\((.*)\)")


def shown(answer: Answer) -> str:
    """Return an answer as the page shows it."""
    if answer.error is None:
        return "undefined" if answer.result is None else answer.result.decode()
    error = json.loads(answer.error)
    if "value" in error:
        return "threw " + json.dumps(error["value"], separators=(",", ":"))
    code = f" ({error['code']})" if "code" in error else ""
    return f"{error['name']}: {error['message']}{code}"


@pytest.mark.parametrize(("code", "session"), EXAMPLES)
async def test_an_example(engine: Engine, tmp_path: Path, code: str, session: str) -> None:
    lines = session.splitlines()
    assert len(lines) % 2 == 0
    vm = VM(code, engine=engine, seeds=lambda: "0123456789abcdef")
    await vm.deploy(dir=tmp_path / "backend", debug=True)
    try:
        for asked, expected in zip(lines[::2], lines[1::2], strict=True):
            match = CALL.fullmatch(asked)
            assert match, asked
            try:
                answer = await vm.call(match[2], f"[{match[3]}]".encode(), match[1] or None)
                found = shown(answer)
            except UnknownMethodError:
                found = "unknown method"
            assert (asked, found) == (asked, expected)
    finally:
        await vm.close()


def test_no_example_is_left_out() -> None:
    assert len(EXAMPLES) == PAGE.count("```js") == PAGE.count("```text") == 12


def test_the_limits_are_the_defaults() -> None:
    limits, mib = Limits(), 1 << 20
    for text in (
        f"{limits.gas:,} instructions",
        f"{limits.memory_bytes // mib} MiB of heap",
        f"{limits.result_bytes // mib} MiB of JSON text",
        f"{JSON_DEPTH_MAX} levels",
        f"{limits.written_bytes // mib} MiB and {limits.written_paths:,} paths",
        f"{ENTRY_BYTES_MAX // mib} MiB of arguments",
        f"{limits.stack_bytes // mib} MiB of stack",
        f"{limits.timers + 1:,}st timer",
        f"{limits.console_bytes >> 10} KiB",
        f"Arguments over {limits.args_bytes // mib} MiB",
        f"{limits.oracles} oracles in a call",
        f"{limits.oracle_bytes >> 10} KiB of JSON text, for all values",
        f"the first {FREE_BYTES} bytes of each",
        f"{limits.oracle_seconds} seconds, for all oracles",
        f"at most {REDIRECTS_MAX} redirects",
        f"{BODY_BYTES_MAX // mib} MiB of body each way (unpacked), {HEADERS_MAX} headers",
        f"{HOSTS_MAX} servers an oracle",
    ):
        assert text in PAGE


def test_every_code_is_on_the_page_and_in_the_code() -> None:
    sources = Path(__file__).resolve().parents[3] / "src" / "nodevms"
    in_code = {
        code
        for part in ("sandbox/sandbox.py", "sandbox/fork.py", "vm/execution.py", "vm/oracles.py")
        for code in re.findall(r'"(ERR_\w+)"', (sources / part).read_text())
    }
    only_at_the_prompt = {"ERR_INTERRUPTED"}  # no backend's call is ever interrupted
    documented = set(re.findall(r"^\| (ERR_\w+) \|", PAGE, re.MULTILINE))
    assert documented == in_code - only_at_the_prompt
