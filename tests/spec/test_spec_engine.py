"""Somebody who has read docs/spec-engine.md gets the results and the gas that a log has."""

from __future__ import annotations

import json
import threading
from importlib import resources
from pathlib import Path

from cheating_host import Honest
from independent_backend import verify
from independent_entry import read_entry
from independent_guest import Guest, random_numbers

from nodevms.audit import Verifier
from nodevms.sandbox import Engine

SCRIPT = """
let calls = 0
exports.init = () => { console.log('begun', Math.random()) }
exports.count = () => ++calls
exports.echo = (...values) => values
exports.who = () => System.caller.id
exports.roll = () => [Math.random(), Math.random(), Math.random()]
exports.now = () => [Date.now(), new Date().toISOString()]
exports.fail = () => { throw Object.assign(new TypeError('no'), { code: 7 }) }
exports.throws = () => { throw undefined }
exports.later = async () => { await new Promise(resolve => setTimeout(resolve, 1000)); return calls }
exports.print = text => console.error(text)
exports.odd = () => [NaN, -0, 1e21, 0.1 + 0.2, '\\ud800']
exports.nothing = () => {}
exports.hash = (name, text) => require('crypto').createHash(name).update(text).digest('hex')
exports.hmac = (name, key, text) => require('crypto').createHmac(name, key).update(text).digest('hex')
exports.verify = (x, signature) => require('node:crypto').verify(
  null, Buffer.alloc(0), { format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } }, Buffer.from(signature, 'base64'))
exports.bytes = async () => (await import('crypto')).randomBytes(5).toString('hex')
"""

ES_MODULE = """
import { join } from 'node:path'
let calls = await Promise.resolve(3)
export async function upgrade () { await null; calls = 7 }
export const count = () => ++calls
export default path => join('/a', path)
"""

KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"
SIGNATURE = (
    "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw=="
)

CALLS = [
    ("count",),
    ("echo", 1, "é\U0001f600", {"a": [None, True]}),
    ("who", {"caller": "bob"}),
    ("who",),
    ("roll",),
    ("now",),
    ("fail",),
    ("throws",),
    ("later",),
    ("print", "x" * 100_000),
    ("odd",),
    ("nothing",),
    ("count",),
    ("hash", "sha256", "é"),
    ("hash", "md5", ""),
    ("hmac", "sha512", "key", "text"),
    ("verify", KEY, SIGNATURE),
    ("verify", KEY, "a" + SIGNATURE[1:]),
    ("bytes",),
]


def test_results_and_gas(engine: Engine, tmp_path: Path) -> None:
    honest = Honest(engine, tmp_path / "backend", debug=True)
    honest.run(SCRIPT, CALLS).run(SCRIPT, [("count",)]).run(
        SCRIPT + "exports.upgrade = () => { calls = 7 }", [("count",)], upgrade=True
    ).run(ES_MODULE, [("count",), ("default", "../b")], upgrade=True)
    problems: list[str] = []
    heap_hash = Verifier(engine).verify(honest.directory).heap_hash
    # The guest's stack needs a thread's that is larger than the system's default.
    thread = threading.Thread(target=replay, args=(honest.directory, heap_hash, problems))
    before = threading.stack_size(256 << 20)
    try:
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert problems == []


def replay(directory: Path, heap_hash: str, problems: list[str]) -> None:
    entries = [read_entry(block) for block in verify(directory).log.blocks]
    assert len(entries) == 27
    guest, code = None, ""
    module = Path(str(resources.files("nodevms.sandbox").joinpath("guest.wasm")))
    for seq, entry in enumerate(entries):
        result = entry["result"]
        if entry["type"] == "call":
            assert guest is not None
            how, text, gas = guest.call(
                entry["userId"],
                entry["methodName"],
                entry["args"],
                entry["time"],
                entry.get("seed"),
            )
        else:
            code = entry.get("code", code)
            guest = Guest(module, entry["limits"])
            hook = {"init": 1, "restart": 0, "upgrade": 2}[entry["type"]]
            how, text, gas = guest.start(code, entry["time"], hook, entry.get("seed"))
        expected = (result.get("res"), result.get("err"), result["gas"], "seed" in entry)
        found = (
            text.decode() if how == 0 else None,
            text.decode() if how == 2 else None,
            gas,
            guest.asked_for_seed,
        )
        if expected != found:
            problems.append(f"entry {seq}: {expected} is not {found}")
        if entry.get("methodName") == "roll":
            assert json.loads(text) == random_numbers(entry["seed"], 3)
    assert guest is not None
    if guest.heap_hash() != heap_hash:
        problems.append("the memory at the end is another")
