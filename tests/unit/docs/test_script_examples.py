"""The scripts of docs/scripts.md, each with the calls and answers below it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from nodevms.sandbox import Engine
from nodevms.sandbox.crypto import BYTE_GAS
from nodevms.vm import VM, Limits
from nodevms.vm.entries import ENTRY_BYTES_MAX, JSON_DEPTH_MAX
from nodevms.vm.errors import UnknownMethodError
from nodevms.vm.fetch_request import BODY_BYTES_MAX, HEADERS_MAX
from nodevms.vm.fetching import REDIRECTS_MAX
from nodevms.vm.limits import CEILINGS
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


def limit_rows() -> list[list[str]]:
    """The cells of the table of limits."""
    section = PAGE.partition("\n## Limits\n")[2]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_limits_are_those_of_the_code() -> None:
    listed = {row[0].strip("`"): tuple(row[1:3]) for row in limit_rows() if row[0]}
    assert listed == {
        name: (f"{getattr(Limits(), name):,}", f"{getattr(CEILINGS, name):,}")
        for name in Limits.__struct_fields__
    }
    fixed = [row[1] for row in limit_rows() if not row[0] and row[1]]
    depth, size = f"{JSON_DEPTH_MAX} levels", f"{ENTRY_BYTES_MAX >> 20} MiB"
    assert fixed == [depth, depth, depth, size]


def test_what_an_oracle_may_use() -> None:
    for text in (
        f"the first {FREE_BYTES} bytes of each",
        f"at most {REDIRECTS_MAX} redirects",
        f"{BODY_BYTES_MAX >> 20} MiB of body each way (unpacked), {HEADERS_MAX} headers",
        f"{HOSTS_MAX} servers an oracle",
    ):
        assert text in PAGE


def test_what_hashes_cost() -> None:
    assert f"at {BYTE_GAS} gas a byte" in PAGE


def test_every_code_is_on_the_page_and_in_the_code() -> None:
    sources = Path(__file__).resolve().parents[3] / "src" / "nodevms"
    in_code = {
        code
        for part in (
            *("sandbox/sandbox.py", "vm/execution.py"),
            *("archive/overlay.py", "archive/room.py", "vm/oracles.py"),
        )
        for code in re.findall(r'"(ERR_\w+)"', (sources / part).read_text())
    }
    in_code.add("ERR_ORACLE_TIME")  # of sandbox/fork.py, whose others are those of a call
    only_at_the_prompt = {"ERR_INTERRUPTED"}  # no backend's call is ever interrupted
    documented = {code for row in limit_rows() for code in re.findall(r"ERR_\w+", row[4])}
    assert documented == in_code - only_at_the_prompt
