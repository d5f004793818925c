"""Random backends: scripts, limits, and what is called in which order, all from one number.

A case is plain data that can be kept as JSON, so that it can be run again by another version of
this generator.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import asdict, dataclass

import pieces

EXPRESSION_DEPTH_MAX = 3
STATEMENT_DEPTH_MAX = 2
SPOIL = """exports.spoil = async () => {
  for (let i = 0; i < 300; i++) keep.push({ i, s: 'spoilt' + i })
  try { deep(200); a = b = c = d = keep.map(String); await fs.readFile('/a') } catch (e) { a = e.stack }
  await new Promise(() => {})
}
"""
"""Each script has it; a replayer that tries what undone calls leave behind calls it and undoes it."""

_HOLE = re.compile(r"@([a-z])")
_FUNCTION = re.compile(r"=>|function|class|get @k|toJSON \(|then \(")
_PLAIN = re.compile(r"\w+\Z")


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

    def case(self, seed: int) -> Case:
        debug = self._one_in(2)
        count, script = self._chance.choice([1, 1, 1, 2, 2, 3, 4]), self._script()
        epochs = [self._epoch(script, upgrade=False, debug=debug)]
        for _ in range(count - 1):
            upgrade = self._one_in(2)
            if upgrade:
                script = self._script()
            epochs.append(self._epoch(script, upgrade=upgrade, debug=debug))
        return Case(seed, debug, tuple(epochs))

    def _epoch(self, script: str, *, upgrade: bool, debug: bool) -> Epoch:
        methods = sorted(set(re.findall(r"^exports\.(f\d+) =", script, re.MULTILINE)))
        calls = [self._call(methods, debug) for _ in range(self._chance.randint(2, 18))]
        return Epoch(upgrade, script, self._limits(), tuple(calls))

    def _call(self, methods: list[str], debug: bool) -> Call:
        arguments = [self._json(0) for _ in range(self._chance.choice([0, 1, 1, 2, 3]))]
        caller = self._chance.choice([None, "bob", "alice", "é\u2028"]) if debug else None
        later = self._chance.choice([0, 0, 1, 1000, 86_400_000, -50_000])
        return Call(self._chance.choice(methods), f"[{','.join(arguments)}]", caller, later)

    def _limits(self) -> dict[str, int]:
        choose = self._chance.choice
        return {
            "gas": choose([12_000_000, 20_000_000, 40_000_000]),
            "memory_bytes": choose([5 << 19, 3 << 20, 4 << 20, 8 << 20]),
            "stack_bytes": choose([40_000, 100_000, 250_000, 1 << 20]),
            "result_bytes": choose([500, 5_000, 100_000]),
            "console_bytes": choose([200, 5_000, 65_536]),
            "timers": choose([4, 20, 100]),
            "written_bytes": choose([2_000, 50_000, 1_000_000]),
            "written_paths": choose([3, 30, 200]),
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

    # Scripts

    def _script(self) -> str:
        methods = [self._method(f"f{number}") for number in range(self._chance.randint(2, 7))]
        parts = [pieces.PRELUDE, *methods, SPOIL]
        for hook in ("init", "upgrade"):
            if self._one_in(2):
                body = self._block(self._chance.randint(1, 4), 0, waits=True)
                parts.append(f"exports.{hook} = async (...args) => {{\nlet x = 0\n{body}\n}}")
        if self._one_in(2):
            loading = self._block(self._chance.randint(1, 3), 1, waits=False)
            parts.append(f"{{ let x = 0, args = []\n{loading}\n}}")
        return "\n".join(parts) + "\n"

    def _method(self, name: str) -> str:
        head, waits = self._chance.choice(
            [
                *[("async (...args) =>", True)] * 6,
                *[("(...args) =>", False)] * 2,
                ("function (...args)", False),
                ("async function ({k0: own, ...others} = {}, ...args)", True),
            ]
        )
        body = self._block(self._chance.randint(1, 5), 0, waits=waits)
        if self._one_in(4):
            body += "\n{ " + self._piece(pieces.NEARLY_STOPPED, 1, waits=waits) + " }"
        ending = self._piece(pieces.STOPPED if self._one_in(5) else pieces.ENDINGS, 1, waits=waits)
        return f"exports.{name} = {head} {{\nlet x = args.length\n{body}\n{ending}\n}}"

    def _block(self, count: int, depth: int, *, waits: bool) -> str:
        return "\n".join(self._statement(depth, waits=waits) for _ in range(count))

    def _statement(self, depth: int, *, waits: bool) -> str:
        statement = self._piece(pieces.STATEMENTS, depth, waits=waits)
        if self._one_in(12):
            return statement
        caught = self._chance.choice(["x = e", "x = String(e)", "keep.push(e)", "x = e?.stack"])
        return f"try {{ {statement} }} catch (e) {{ {caught} }}"

    def _piece(self, kinds: list[str], depth: int, *, waits: bool) -> str:
        """Return a piece that may stand here: `await` may only in an async function."""
        while True:
            text = self._chance.choice(kinds)
            if "@b" in text and depth >= STATEMENT_DEPTH_MAX:
                continue
            if waits or "await" not in text:
                return self._filled(text, depth, 0, waits=waits)

    def _filled(self, text: str, depth: int, nested: int, *, waits: bool) -> str:
        inside = waits and not _FUNCTION.search(text)
        return _HOLE.sub(lambda hole: self._hole(hole[1], depth, nested, waits=inside), text)

    def _hole(self, kind: str, depth: int, nested: int, *, waits: bool) -> str:
        if kind == "e":
            return self._expression(nested, waits=waits)
        if kind == "b":
            return self._block(self._chance.randint(1, 2), depth + 1, waits=waits)
        if kind == "n":
            return str(self._chance.randint(0, 12))
        lists: dict[str, list[str]] = {
            "s": pieces.STRINGS,
            "r": pieces.NUMBERS,
            "p": pieces.PATHS,
            "c": pieces.ENCODINGS,
            "k": pieces.MEMBERS,
            "v": pieces.VARIABLES,
        }
        found = self._chance.choice(lists[kind])
        return self._filled(found, depth, nested, waits=waits) if "@" in found else found

    def _expression(self, nested: int, *, waits: bool) -> str:
        kinds = pieces.ATOMS
        if nested < EXPRESSION_DEPTH_MAX and not self._one_in(3 if nested else 9):
            kinds = pieces.EXPRESSIONS
        text = self._chance.choice(kinds)
        while not waits and "await" in text:
            text = self._chance.choice(kinds)
        text = self._filled(text, 0, nested + 1, waits=waits)
        return text if _PLAIN.match(text) else f"({text})"

    def _one_in(self, count: int) -> bool:
        return self._chance.randrange(count) == 0
