"""A full backend: its script hears so, goes on, and the log verifies with the limits of each start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nodevms.audit import Verifier
from nodevms.sandbox import Engine
from nodevms.vm import VM, Limits
from nodevms.vm.directory import Layout

CODE = """
const fs = System.files
let n = 0
exports.put = async (path, size) => { n++; await fs.writeFile(path, 'x'.repeat(size)) }
exports.caught = async (path, size) => {
  n++
  try {
    await fs.writeFile(path, 'x'.repeat(size))
  } catch (error) {
    return [error.name, error.code, error.message, error instanceof Error, Object.keys(error)]
  }
}
exports.drop = path => fs.unlink(path)
exports.look = async () => [n, await fs.readdir('/')]
"""


async def ended(vm: VM, method: str, *arguments: Any) -> Any:
    answer = await vm.call(method, json.dumps(arguments).encode())
    return json.loads(answer.error or answer.result or b"null")


async def test_a_full_backend_says_so_and_goes_on(engine: Engine, tmp_path: Path) -> None:
    directory = tmp_path / "backend"
    vm = VM(CODE, engine=engine)
    await vm.deploy(dir=directory, limits=Limits(archive_bytes=1_000, archive_paths=2))
    full = "The files would have 1,001 bytes; 1,000 are allowed"
    many = "There would be 3 files and folders; 2 are allowed"
    assert await ended(vm, "put", "/a", 999) is None
    error = {"name": "QuotaExceededError", "message": full, "code": "ERR_ARCHIVE_BYTES"}
    assert await ended(vm, "put", "/b", 2) == error
    refused = ["QuotaExceededError", "ERR_ARCHIVE_BYTES", full, True, []]
    assert await ended(vm, "caught", "/b", 2) == refused
    assert await ended(vm, "put", "/b", 1) is None
    assert await ended(vm, "put", "/c", 0) == {
        **error,
        "message": many,
        "code": "ERR_ARCHIVE_PATHS",
    }
    assert await ended(vm, "look") == [5, ["a", "b"]]
    assert await ended(vm, "drop", "/a") is None
    assert await ended(vm, "put", "/c", 999) is None
    await vm.close()

    Layout(directory).state.unlink()  # the sums are derived from the log, as all of the index is
    vm = VM(CODE, engine=engine)
    await vm.deploy(dir=directory, limits=Limits(archive_bytes=500, archive_paths=1))
    assert (await ended(vm, "put", "/b", 2))["code"] == "ERR_ARCHIVE_BYTES"
    assert await ended(vm, "put", "/c", 998) is None
    assert (await ended(vm, "put", "/d", 0))["code"] == "ERR_ARCHIVE_PATHS"
    await vm.close()
    assert Verifier(engine).verify(directory).calls == 11
