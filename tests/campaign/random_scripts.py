"""Random scripts: CommonJS and ES modules, with methods that are logged and some that only read."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from itertools import count

import pieces

EXPRESSION_DEPTH_MAX = 3
STATEMENT_DEPTH_MAX = 2
SPOIL = """async () => {
  for (let i = 0; i < 300; i++) keep.push({ i, s: 'spoilt' + i })
  try { deep(200); a = b = c = d = keep.map(String); await fs.readFile('/a') } catch (e) { a = e.stack }
  await new Promise(() => {})
}"""
"""Each script has it; a replayer that tries what undone calls leave behind calls it and undoes it."""

_HOLE = re.compile(r"@([a-z])")
_FUNCTION = re.compile(r"=>|function|class|get @k|toJSON \(|then \(")
_PLAIN = re.compile(r"\w+\Z")


@dataclass(frozen=True)
class Script:
    """A script, and the methods to call.

    Attributes:
        text: The script.
        logged: Methods whose calls are logged.
        readonly: Methods that only read.
    """

    text: str
    logged: tuple[str, ...]
    readonly: tuple[str, ...]


class ScriptWriter:
    """Writes scripts; the same numbers give the same scripts."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def script(self) -> Script:
        """Return a script; most of them load."""
        module = self._one_in(3)
        logged = tuple(f"f{number}" for number in range(self._chance.randint(2, 7)))
        readonly = tuple(f"r{number}" for number in range(self._chance.choice([0, 1, 2, 3])))
        functions = {name: self._method() for name in (*logged, *readonly)}
        functions["spoil"] = SPOIL
        for hook in ("init", "upgrade"):
            if self._one_in(2):
                body = self._block(self._chance.randint(1, 4), 0, waits=True)
                functions[hook] = f"async (...args) => {{\nlet x = 0\n{body}\n}}"
        loading = ""
        if self._one_in(2):
            body = self._block(self._chance.randint(1, 3), 1, waits=module)
            loading = f"{{ let x = 0, args = []\n{body}\n}}\n"
        if not module:
            parts = ["const load = require", pieces.PRELUDE, *self._common(functions, readonly)]
            return Script("\n".join([*parts, loading]), logged, readonly)
        parts = [*self._imports(), pieces.PRELUDE, *self._exports(functions, readonly)]
        # There is no function around a module whose `new.target` this could be.
        text = "\n".join([*parts, loading]).replace("new.target", "import.meta")
        return Script(text, logged, readonly)

    # How functions are exported

    def _common(self, functions: dict[str, str], readonly: tuple[str, ...]) -> list[str]:
        parts = []
        for name, function in functions.items():
            if name not in readonly:
                parts.append(f"exports.{name} = {function}")
            elif self._one_in(2):
                parts.append(f"exports.{name} = System.readonly({function})")
            else:
                parts.append(f"exports.{name} = {function}\nexports.{name}.readonly = true")
        return parts

    def _exports(self, functions: dict[str, str], readonly: tuple[str, ...]) -> list[str]:
        """Export functions from an ES module: as an object, or each in one of the forms."""
        values = {
            name: f"System.readonly({function})" if name in readonly else function
            for name, function in functions.items()
        }
        if self._one_in(5):
            members = ",\n".join(f"{name}: {value}" for name, value in values.items())
            return [f"export default {{\n{members}\n}}"]
        return [self._export(name, value) for name, value in values.items()]

    def _export(self, name: str, value: str) -> str:
        forms = [
            f"export const {name} = {value}",
            f"export let {name} = {value}",
            f"const {name} = {value}\nexport {{ {name} }}",
            f"const own_{name} = {value}\nexport {{ own_{name} as '{name}' }}",
            f"export let {name} = await ({value})\n{name} = [{name}][0]",
            f"export function {name} (...args) {{ return held_{name}.apply(this, args) }}\n"
            f"const held_{name} = {value}\n",
        ]
        # A declaration is no value that could be marked as read-only.
        return self._chance.choice(forms[:-1] if value.startswith("System.readonly(") else forms)

    def _imports(self) -> list[str]:
        """Import some of the modules, each in one of the forms, for `load`."""
        lines, known = [], []
        for number, name in zip(count(), pieces.MODULE_NAMES, strict=False):
            # `util` takes more gas than many starts have.
            if self._one_in(2) or (name.startswith("util") and self._one_in(2)):
                continue
            place = self._chance.choice(["", "node:"]) + name
            lines.append(
                self._chance.choice(
                    [
                        f"import m{number} from '{place}'",
                        f"import * as m{number} from '{place}'",
                        f"import {{ default as m{number} }} from '{place}'",
                        f"import m{number}, * as all{number} from '{place}'",
                        f"const m{number} = (await import('{place}')).default",
                    ]
                )
            )
            known.append(f"'{name}': m{number}")
        members = ", ".join(known)
        return [*lines, f"const modules = {{{members}}}", "const load = name => modules[name]"]

    # What stands in them

    def _method(self) -> str:
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
        return f"{head} {{\nlet x = args.length\n{body}\n{ending}\n}}"

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
            "m": [f"'{name}'" for name in pieces.MODULE_NAMES],
            "h": pieces.HASHES,
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
