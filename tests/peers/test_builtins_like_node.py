"""The modules that `require` gives do what those of the real Node do: the same scripts, run in both."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from nodevms.sandbox import Engine, Limits, Meter, Operation, Sandbox
from nodevms.vm.engine_thread import on_engine_thread

FOLDER = Path(__file__).parent / "builtins"
NAMES = sorted(path.stem for path in FOLDER.glob("*.js"))
# Added to each script: what each of its functions came to, as JSON. Of an error what programs look
# at, since texts are people's.
COLLECT = """
exports.results = async () => {
  const results = []
  for (const each of exports.run()) {
    try {
      const value = await each()
      results.push([String(each), value === undefined ? 'undefined' : value])
    } catch (error) {
      results.push([String(each), { threw: [error?.name, error?.code ?? null] }])
    }
  }
  return results
}
"""


class _Nothing:
    def call(self, operation: int, _request: bytes, _meter: Meter, /) -> bytes:
        return b"0123456789abcdef" if operation == Operation.SEED else b""


@pytest.mark.parametrize("name", NAMES)
def test_a_module_gives_what_node_gives(name: str, tmp_path: Path, engine: Engine) -> None:
    code = (FOLDER / f"{name}.js").read_text() + COLLECT
    script = tmp_path / "script.js"
    script.write_text(code + "exports.results().then(r => console.log(JSON.stringify(r)))\n")
    told = subprocess.run(["node", script], capture_output=True, check=True, timeout=60).stdout
    node = json.loads(told)
    ours = in_sandbox(engine, code)
    assert len(ours) == len(node)
    for mine, theirs in zip(ours, node, strict=True):
        assert mine == theirs


def in_sandbox(engine: Engine, code: str) -> list[object]:
    sandbox = Sandbox(engine, Limits())
    host = _Nothing()
    started = on_engine_thread(lambda: sandbox.start(code, None, time_ms=0, host=host))
    assert started.error is None, started.error
    ended = on_engine_thread(
        lambda: sandbox.call("results", b"[]", caller=None, time_ms=0, host=host)
    )
    assert ended.result is not None, ended.error
    results: list[object] = json.loads(ended.result)
    return results
