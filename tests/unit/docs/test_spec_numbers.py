"""The numbers and messages of docs/spec*.md are those in the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec

from nodevms.archive import file_gas
from nodevms.archive.publication import CHANGES_MAX
from nodevms.sandbox import Limits as SandboxLimits
from nodevms.sandbox import Outcome, instance
from nodevms.sandbox.crypto import ALGORITHMS, BYTE_GAS, REQUEST_GAS, VERIFY_GAS
from nodevms.sandbox.host import CONSOLE_BYTE_GAS, CONSOLE_GAS, SEED_GAS
from nodevms.sandbox.instance import Ended
from nodevms.sandbox.sandbox import Sandbox
from nodevms.sandbox.thread import ENGINE_STACK_BYTES
from nodevms.vm import entries, execution
from nodevms.vm.limits import CEILINGS, Limits

DOCS = Path(__file__).parents[3] / "docs"
SPEC = (DOCS / "spec.md").read_text()
STATE = (DOCS / "spec-state.md").read_text()
ENGINE = (DOCS / "spec-engine.md").read_text()
DRIVE = (DOCS / "spec-drive.md").read_text()


def test_the_ceilings() -> None:
    for name, value in json.loads(msgspec.json.encode(CEILINGS)).items():
        assert re.search(rf"\b{name} {value:,}(?!\d)", SPEC), name


def test_the_members_stand_in_the_order_of_the_structs() -> None:
    def members(name: str, label: str = "") -> list[str]:
        (line,) = re.findall(rf"^    {label or name} +(.*\}}.*|\[.*)$", SPEC, re.MULTILINE)
        return re.findall(r'"(\w+)"\??[,:}]', line)

    def fields(struct: type[msgspec.Struct]) -> list[str]:
        return [field.encode_name for field in msgspec.structs.fields(struct)]

    for name, struct in (
        ("init", entries.Init),
        ("restart", entries.Restart),
        ("upgrade", entries.Upgrade),
    ):
        assert [m for m in members(name) if m not in {"type", name}] == fields(struct)
    call = [m for m in members("call") if m not in {"type", "call", "result"}]
    assert call == fields(entries.CallInfo)
    assert members("result") == fields(entries.Result)
    assert members("changes") == fields(entries.ChangeItem)
    assert members("limits") == fields(Limits)


def test_the_size_of_an_entry() -> None:
    assert f"({entries.ENTRY_BYTES_MAX:,} bytes)" in SPEC
    assert f"nest at most {entries.JSON_DEPTH_MAX} deep" in SPEC
    assert f"taken to be {execution.ENTRY_BASE_BYTES:,} + " in SPEC
    assert f"each change {execution.CHANGE_BASE_BYTES} and" in SPEC.replace("\n", " ")


def stopped(how: int, text: bytes = b"") -> Outcome:
    sandbox = object.__new__(Sandbox)
    sandbox._limits = SandboxLimits()
    return sandbox._judge(Ended(how, 5, text))


def test_the_messages_of_limits() -> None:
    for outcome in (
        stopped(instance.TRAPPED_GAS),
        stopped(instance.TRAPPED),
        stopped(instance.ENDED_NO_ROOM),
        stopped(instance.ENDED_NEVER_SETTLED),
        stopped(instance.ENDED_WITH_VALUE, b"x" * (SandboxLimits().result_bytes + 1)),
    ):
        error = json.loads(outcome.error or b"")
        assert list(error) == ["name", "message", "code"]
        assert f"| {error['code']} | `{error['message']}`" in SPEC
    gone = json.loads(stopped(instance.ENDED_NO_METHOD).error or b"")
    assert json.dumps(gone, separators=(",", ":")) in SPEC
    source = Path(execution.__file__).read_text()
    for code in re.findall(r'"(ERR_\w+)"', source):
        assert f"| {code} |" in SPEC
    assert f"`The result nests deeper than {entries.JSON_DEPTH_MAX} levels`" in SPEC
    assert f"`The entry would have more than {entries.ENTRY_BYTES_MAX:,} bytes`" in SPEC


def test_prices() -> None:
    assert f"request | {file_gas.REQUEST:,} + {file_gas.REQUEST_BYTE} a byte" in STATE
    assert f"`writeFile` | {file_gas.WRITE_BYTE} a byte" in STATE
    assert f"path | {file_gas.COMPONENT:,} a component" in STATE
    assert f"`readFile` | {file_gas.READ_BYTE} a byte" in STATE
    assert f"name | {file_gas.NAME:,}" in STATE
    assert f"stat | {file_gas.STAT:,}" in STATE
    assert f"change | {file_gas.CHANGE:,}" in STATE
    assert f"in ASCII | {SEED_GAS:,}" in ENGINE
    assert f"empty | {CONSOLE_GAS:,} + {CONSOLE_BYTE_GAS} a byte" in ENGINE
    crypto = f"{REQUEST_GAS:,} + {BYTE_GAS} a byte; {VERIFY_GAS:,} more for a signature"
    assert f"see below | {crypto} |" in ENGINE
    assert "Names are " + ", ".join(f"`{name}`" for name in ALGORITHMS) in ENGINE


def test_sizes() -> None:
    assert f"`memoryBytes` + {instance.MEMORY_MARGIN_BYTES:,} bytes" in ENGINE
    assert f"at most {CHANGES_MAX:,} blocks" in DRIVE
    assert ENGINE_STACK_BYTES > 64 << 20
