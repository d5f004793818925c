"""The attacks as data: what each script does, how it is called, and what must come of it.

Each file in ``attacks/`` is a kind; docs/security.md says how an attack is written.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "attacks"
# Primitives alone, so that nothing can be patched; the second is for ES modules.
CANARY = (
    "exports.canary = n => System.caller.id + n; ",
    "export const canary = n => System.caller.id + n; ",
)
_CALL = re.compile(r'([^>]*)> ("(?:[^"\\]|\\.)*"|[^("]+)\((.*)\)', re.DOTALL)
_MARKS = {"=": "result", "!": "error", "refused": "refused"}
_FIELDS = {
    *(
        "name",
        "script",
        "calls",
        "files",
        "console",
        "limits",
        "canary",
        "module",
        "process",
        "fails",
    ),
}


@dataclass(frozen=True)
class Step:
    """One call, or a restart of the backend when ``method`` is None.

    Attributes:
        how: ``result``, ``error`` or ``refused``: what must come of it.
        expected: The answer's JSON text, ``undefined``, the code of a limit, or the beginning of
            the refusal's sentence.
    """

    caller: str | None = None
    method: str | None = None
    arguments: str = "[]"
    how: str = ""
    expected: str = ""


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        name: What is tried, or what must hold.
        kind: The file's name.
        script: The backend script, without the canary.
        steps: The calls in order.
        fails: What the error must say that starting the script ends with; no calls then.
        files: All files that must be there at the end, as text.
        console: Texts that the host's log must have, in order.
        limits: Limits of the backend that differ from the suite's.
        canary: Whether a second caller's call runs beside each call of the attack.
        module: Whether the script is an ES module.
        process: Whether it is also run in a ``nodevms exec`` of its own.
    """

    name: str
    kind: str
    script: str
    steps: tuple[Step, ...]
    fails: str | None = None
    files: dict[str, str] = field(default_factory=dict)
    console: tuple[str, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)
    canary: bool = True
    module: bool = False
    process: bool = False

    @property
    def code(self) -> str:
        """The script as it is deployed."""
        return CANARY[self.module] + self.script if self.canary else self.script


def read_attacks() -> list[Attack]:
    """Read all of them.

    Raises:
        ValueError: A name stands there twice, or an attack is not written as it should be.
    """
    attacks = [
        _attack(path.stem, table)
        for path in sorted(FOLDER.glob("*.toml"))
        for table in tomllib.loads(path.read_text())["attack"]
    ]
    names = [attack.name for attack in attacks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"twice: {twice}")
    return attacks


def _attack(kind: str, table: dict[str, Any]) -> Attack:
    unknown = set(table) - _FIELDS
    if unknown or ("calls" in table) == ("fails" in table):
        raise ValueError(f"{kind}: {table['name']}: {unknown or 'either calls or fails'}")
    steps = _steps(table.pop("calls", ""))
    console = tuple(table.pop("console", ()))
    return Attack(kind=kind, steps=steps, console=console, **table)


def _steps(text: str) -> tuple[Step, ...]:
    lines = iter(text.strip("\n").split("\n") if text else ())
    steps = []
    for line in lines:
        if line == "restart":
            steps.append(Step())
            continue
        match = _CALL.fullmatch(line)
        mark, _, expected = next(lines, "").partition(" ")
        if match is None or mark not in _MARKS:
            raise ValueError(f"no call and answer: {line}")
        name = json.loads(match[2]) if match[2].startswith('"') else match[2]
        steps.append(Step(match[1] or None, name, f"[{match[3]}]", _MARKS[mark], expected))
    return tuple(steps)
