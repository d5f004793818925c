"""Every member of every kind of entry: changed and signed again, it is caught, or is a statement.

What no replay can refute is listed here, and nothing else may be on the list: the operator's own
statements (title, debug, limits, time), where nothing that the script did depends on them, and
arguments that it never looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cheating_host import Blocks, Honest, blocks_of, cheat_log, spelled

from nodevms.audit import Verifier
from nodevms.errors import NodeVMSError
from nodevms.sandbox import Engine
from nodevms.vm.limits import Limits

SCRIPT = """
const fs = System.files
exports.init = async () => { await fs.writeFile('/begun', Date.now() + ' ' + Math.random()) }
exports.everything = async text => {
  await fs.mkdir('/d')
  await fs.writeFile('/d/f', text + System.caller.id)
  await fs.unlink('/begun')
  return [Math.random(), Date.now(), text]
}
exports.fail = text => { throw new RangeError(text + Date.now()) }
exports.spin = () => { for (;;); }
"""
UPGRADED = SCRIPT + "exports.upgrade = () => fs.writeFile('/upgraded', Date.now())\n"
CALLS = [("everything", "a text", {"caller": "bob"}), ("fail", "a text"), ("spin", "unread")]

STATEMENTS = re.compile(r"(title|debug|limits\..*)\Z")
TRAPPED = 3
"""The entry whose call was stopped: nothing came of its time, caller and arguments."""


@pytest.fixture(scope="module")
def backend(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fields") / "backend"
    honest = Honest(engine, directory, debug=True)
    quick = Limits(gas=20_000_000)
    honest.run(SCRIPT, CALLS, limits=quick).run(SCRIPT, limits=quick)
    honest.run(UPGRADED, [("fail", "x")], upgrade=True, limits=quick)
    return directory


def members(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, member in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield (*path, key)
        if isinstance(member, dict | list):
            yield from members(member, (*path, key))


def others(value: Any) -> list[Any]:
    """Give values of the same type, and one of another."""
    if isinstance(value, bool):
        return [not value, None]
    if isinstance(value, int):
        return [value + 1, value - 1, -1, 2**53, str(value)]
    if isinstance(value, str):
        swapped = ("0" if value[:1] != "0" else "1") + value[1:]
        return [swapped, value + " ", "", None]
    if isinstance(value, list):
        return [[], [*value, None], {}]
    return [{}, []] if isinstance(value, dict) else ["eve", 0]


def changed(block: bytes) -> Iterator[tuple[str, bytes]]:
    """Give each member's path with the entry in which it is other, gone, or new."""
    for place in members(json.loads(block)):
        name = ".".join(map(str, place))
        present = json.loads(block)
        for step in place:
            present = present[step]
        for value in [*others(present), KeyError]:
            entry = json.loads(block)
            target = entry
            for step in place[:-1]:
                target = target[step]
            if value is KeyError:
                del target[place[-1]]
            else:
                target[place[-1]] = value
            yield name, spelled(entry)
    for extra in ("seed", "result", "auth", "v", "note"):
        for inside in ((), ("call",), ("result",)):
            entry = json.loads(block)
            target = entry[inside[0]] if inside and inside[0] in entry else entry
            if extra not in target:
                target[extra] = "0" * 16
                yield f"new {extra}", spelled(entry)


@pytest.mark.parametrize("seq", range(7))
def test_every_change_is_caught_or_is_a_statement(
    engine: Engine, backend: Path, tmp_path: Path, seq: int
) -> None:
    verifier = Verifier(engine)
    honest = blocks_of(backend, "call-log.")
    assert len(honest) == 7
    passed: set[str] = set()
    refusals: list[tuple[str, int, int | None]] = []
    tried = 0
    for number, (name, block) in enumerate(changed(honest[seq])):
        if block == honest[seq]:
            continue

        def change(blocks: Blocks, block: bytes = block) -> Blocks:
            return [*blocks[:seq], block, *blocks[seq + 1 :]]

        copy = cheat_log(backend, tmp_path / str(number), change)
        tried += 1
        try:
            verifier.verify(copy)
            passed.add(name)
        except NodeVMSError as error:
            refusals.append((name, error.exit_code, getattr(error, "entry", None)))
    assert tried > 40
    for refused in refusals:
        assert refused[1] in {1, 3}, refused
        assert refused[2] is None or refused[2] >= seq, refused
    passed = {name for name in passed if not STATEMENTS.match(name)}
    # A restart of this script and a stopped call look at no clock, so the host may state any.
    unread = {TRAPPED: {"call.time", "call.userId", "call.args", "call.args.0"}, 4: {"time"}}
    assert passed <= unread.get(seq, set())
