"""The examples of docs/python.md, run one after the other as a reader would."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from nodevms.rpc import RPCServer
from nodevms.vm import VM

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "python.md"


async def run(source: str, names: dict[str, Any]) -> None:
    body = textwrap.indent(source, "    ")
    exec(f"async def example():\n{body}\n", names)
    await names["example"]()


async def test_every_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    deploy, call, read, verify = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    await run(deploy, {})
    vm = VM("exports.hello = name => `Hello ${name}`")
    await vm.deploy(dir="./hello")
    server = RPCServer({"/": vm}, port=0)
    await server.start()
    try:
        await run(call, {"address": f"localhost:{server.port}"})
    finally:
        await server.stop()
        await vm.close()
    await run(read, {})
    await run(verify, {})
    printed = capsys.readouterr().out
    assert "Hello Bob" in printed
    assert "Hello Alice" in printed
    assert "2 calls are true" in printed
