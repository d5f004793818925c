"""Random backends: scripts, limits, and what is called in which order, all from one number.

A case is plain data that can be kept as JSON, so that it can be run again by another version of
this generator.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass

from random_scripts import Script, ScriptWriter


@dataclass(frozen=True)
class Call:
    """One call: the arguments are JSON text, the clock moves on before it."""

    method: str
    arguments: str
    caller: str | None
    later_ms: int


@dataclass(frozen=True)
class Epoch:
    """A start and the calls after it; some of them are sent together."""

    upgrade: bool
    script: str
    limits: dict[str, int]
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Case:
    """One backend's life."""

    seed: int
    debug: bool
    epochs: tuple[Epoch, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Case:
        case = json.loads(text)
        epochs = [
            Epoch(**{**epoch, "calls": tuple(Call(**call) for call in epoch["calls"])})
            for epoch in case["epochs"]
        ]
        return cls(case["seed"], case["debug"], tuple(epochs))


def random_case(seed: int) -> Case:
    """Return the case of a number."""
    return _Generator(random.Random(seed)).case(seed)


class _Generator:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._writer = ScriptWriter(chance)

    def case(self, seed: int) -> Case:
        debug = self._one_in(2)
        count, script = self._chance.choice([1, 1, 1, 2, 2, 3, 4]), self._writer.script()
        epochs = [self._epoch(script, upgrade=False, debug=debug)]
        for _ in range(count - 1):
            upgrade = self._one_in(2)
            if upgrade:
                script = self._writer.script()
            epochs.append(self._epoch(script, upgrade=upgrade, debug=debug))
        return Case(seed, debug, tuple(epochs))

    def _epoch(self, script: Script, *, upgrade: bool, debug: bool) -> Epoch:
        calls = [self._call(script, debug) for _ in range(self._chance.randint(2, 18))]
        return Epoch(upgrade, script.text, self._limits(), tuple(calls))

    def _call(self, script: Script, debug: bool) -> Call:
        reads = bool(script.readonly) and self._one_in(4)
        methods = script.readonly if reads else script.logged
        arguments = [self._json(0) for _ in range(self._chance.choice([0, 1, 1, 2, 3]))]
        caller = self._chance.choice([None, "bob", "alice", "é\u2028"]) if debug else None
        later = self._chance.choice([0, 0, 1, 1000, 86_400_000, -50_000])
        return Call(self._chance.choice(methods), f"[{','.join(arguments)}]", caller, later)

    def _limits(self) -> dict[str, int]:
        choose = self._chance.choice
        return {
            "gas": choose([12_000_000, 20_000_000, *[40_000_000, 80_000_000, 120_000_000] * 2]),
            "memory_bytes": choose([5 << 19, 3 << 20, 4 << 20, 8 << 20]),
            "stack_bytes": choose([40_000, 100_000, 250_000, 1 << 20]),
            "result_bytes": choose([500, 5_000, 100_000]),
            "console_bytes": choose([200, 5_000, 65_536]),
            "timers": choose([4, 20, 100]),
            "written_bytes": choose([2_000, 50_000, 1_000_000]),
            "written_paths": choose([3, 30, 200]),
            "archive_bytes": choose([300, 5_000, 200_000, 1 << 30]),
            "archive_paths": choose([3, 12, 100, 1_000_000]),
        }

    def _json(self, depth: int) -> str:
        choose = self._chance.choice
        if depth < 3 and self._one_in(4):
            inside = [self._json(depth + 1) for _ in range(self._chance.randint(0, 3))]
            if self._one_in(2):
                return f"[{','.join(inside)}]"
            names = ['"k0"', '"__proto__"', '"then"', '"\\ud800"', '"1"', '"toJSON"']
            return "{" + ",".join(f"{choose(names)}:{value}" for value in inside) + "}"
        texts = ['""', '"a"', '"\\ud83d\\ude00"', '"\\udfff"', '"/dir/a"', '"é"', '"constructor"']
        numbers = ["0", "-0", "1", "7", "2.5", "-1e-9", "1e400", "9007199254740993", "12"]
        return choose([*texts, *numbers, "null", "true", "false"])

    def _one_in(self, count: int) -> bool:
        return self._chance.randrange(count) == 0
