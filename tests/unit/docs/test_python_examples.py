"""The examples of docs/python.md, run one after the other, print what stands behind the arrows."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import nodevms

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
MENTIONED = (
    *("VM", "CallLog", "DatArchive", "RPCServer", "RPCClient", "BlockingRPCClient"),
    *("Verifier", "fetch"),
)


async def run(source: str, names: dict[str, Any]) -> None:
    code = compile(source, "docs/python.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, names)
    else:  # it may wait for the server, which runs on this thread
        await asyncio.to_thread(exec, code, names)


async def test_every_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in BLOCKS:
        await run(block, names)
        expected = re.findall(r"# → (.*)", block)
        assert capsys.readouterr().out.splitlines() == expected


def test_every_public_name_has_an_example() -> None:
    for name in MENTIONED:
        assert name in nodevms.__all__
        assert any(re.search(rf"\b{name}\b", block) for block in BLOCKS)
