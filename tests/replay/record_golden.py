"""Record the golden logs anew: ``make golden``.

Each folder of ``golden/`` is what a reader would have fetched of one small backend, honest or
lying, and ``verdict.json``, what verify must say of it on every machine and in every release that
ships the engine it names. Before the first release they are recorded again whenever the engine or
the format changes. Afterwards none is ever changed: another engine gets new folders beside them.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import backends
import cheating_host as host
from cheating_host import Blocks, Honest, example
from click.testing import CliRunner
from eventful import CALLS, EVERYTHING, QUICK

from nodevms.cli import main
from nodevms.sandbox import Engine
from nodevms.vm.limits import Limits

GOLDEN = Path(__file__).parent / "golden"
PARTS = ("key", "data", "tree", "signatures")
NOT_THE_VERDICT = ("message", "hint", "source", "peers")

FILES = """
const fs = System.files
exports.init = async () => {
  await fs.mkdir('/kinds')
  await fs.writeFile('/begun', new Date().toISOString() + ' ' + Math.random())
}
exports.text = (path, text) => fs.writeFile(path, text)
exports.fill = (path, size) => fs.writeFile(path, 'x'.repeat(size))
exports.value = (path, value) => fs.writeFile(path, value)
exports.bytes = (path, data, encoding) => fs.writeFile(path, data, encoding)
exports.read = (path, encoding) => fs.readFile(path, encoding)
exports.remove = path => fs.unlink(path)
exports.mkdir = path => fs.mkdir(path)
exports.rmdir = (path, options) => fs.rmdir(path, options)
exports.copy = (from, to) => fs.copy(from, to)
exports.rename = (from, to) => fs.rename(from, to)
exports.list = () => fs.readdir('/', { recursive: true, stat: true })
exports.history = () => fs.history()
"""
FILE_CALLS: list[tuple[Any, ...]] = [
    ("text", "/kinds/text.txt", "one"),
    ("text", "/kinds/text.txt", "two \u00e9\u2028\U0001f600"),
    ("text", "/kinds/empty", ""),
    ("text", "/a/b/c/parents.txt", "made"),
    ("value", "/kinds/value.json", {"a": [1, None, "\ud800"]}),
    ("bytes", "/kinds/cat.png", "iVBORw0KGgo=", "base64"),
    ("bytes", "/kinds/hex", "00ff10", "hex"),
    ("read", "/kinds/cat.png", "hex"),
    ("read", "/nowhere", "json"),
    ("read", "/nowhere"),
    ("copy", "/kinds", "/copied"),
    ("rename", "/kinds/text.txt", "/renamed \u00fc.txt"),
    ("remove", "/copied/hex"),
    ("remove", "/copied/hex"),
    ("fill", "/kinds/two-blocks", 65_537),
    ("mkdir", "/kinds/empty"),
    ("rmdir", "/copied"),
    ("rmdir", "/copied", {"recursive": True}),
    ("list",),
    ("history",),
]
EPOCHS = """
const fs = System.files
let since = 0
exports.init = () => fs.writeFile('/seed', Math.random())
exports.increment = async () => {
  const all = (await fs.readFile('/all', 'json') || 0) + 1
  await fs.writeFile('/all', all)
  return [++since, all, Date.now()]
}
exports.spin = () => { for (;;); }
"""
UPGRADED = EPOCHS.replace("+ 1", "+ 10") + (
    "exports.upgrade = () => fs.writeFile('/upgraded', Math.random())\n"
)


ORACLES = """
const fs = System.files
let loaded
System.oracle(() => 'while loading').then(value => { loaded = value })
exports.init = async () => fs.writeFile('/begun', loaded + await System.oracle(() => Date.now()))
exports.rand = async () => System.oracle(() => Math.random())
exports.two = async () => [await System.oracle(() => new Date()), await System.oracle(() => crypto.randomUUID())]
exports.values = async () => {
  const given = []
  for (const f of [
    () => undefined, () => null, () => ({ lone: '\\ud800', deep: [[[1e300]]] }), () => 'x'.repeat(2000),
    async () => fs.readdir('/'), () => fs.writeFile('/x', 1), () => console.log(1), () => System.oracle(() => 1),
    () => { throw { code: 7 } }, () => { throw undefined }, () => { throw new TypeError('t') },
    () => { for (;;); }, () => new Promise(() => {}), () => 'y'.repeat(8192), () => 1
  ]) given.push(await System.oracle(f).catch(error => [error?.name, error?.message, error?.code]))
  return given
}
exports.kept = async () => fs.writeFile('/kept', await System.oracle(() => Math.random()))
exports.lost = async () => { await fs.writeFile('/lost', await System.oracle(() => 1)); for (;;); }
exports.more = async () => { for (let i = 0; i < 20; i++) await System.oracle(() => 1) }
exports.seeded = () => [Math.random(), crypto.randomUUID(), [...crypto.getRandomValues(new Uint8Array(11))]]
"""
ORACLE_CALLS = [(name,) for name in ("rand", "two", "values", "kept", "lost", "more", "seeded")]


def oracles(engine: Engine, directory: Path) -> None:
    """Oracles of every kind, while loading, in init and in calls, undone ones too; a restart."""
    limits = Limits(gas=1_500_000_000, oracle_bytes=4096, oracles=15)
    honest = Honest(engine, directory).run(ORACLES, ORACLE_CALLS, limits=limits)
    honest.run(ORACLES, [("rand",)], limits=limits)


def two_oracles(engine: Engine, directory: Path) -> None:
    """A call, entry 1, that asks two oracles."""
    code = "exports.two = async () => [await System.oracle(() => 1), await System.oracle(() => 2)]"
    Honest(engine, directory).run(code, [("two",)])


def everything(engine: Engine, directory: Path) -> None:
    """Errors, traps, timers, randomness, console, arguments and results of every kind."""
    calls = [("large", 500) if call[0] == "large" else call for call in CALLS]
    Honest(engine, directory).run(EVERYTHING, calls, limits=QUICK)


def files(engine: Engine, directory: Path) -> None:
    """Files and folders of every kind, every file operation, and errors of them."""
    Honest(engine, directory).run(FILES, FILE_CALLS)


def epochs(engine: Engine, directory: Path) -> None:
    """An init, restarts, other limits, an upgrade and the way back, a clock that goes back."""
    honest = Honest(engine, directory).run(EPOCHS, [("increment",)] * 2)
    honest.run(EPOCHS, [("increment",), ("spin",)], limits=Limits(gas=20_000_000))
    honest.run(UPGRADED, [("increment",)], upgrade=True)
    honest.run(UPGRADED, [("increment",)], start_ms=host.START_MS + 7_140_000)
    honest.run(EPOCHS, [("increment",)], upgrade=True)


def callers(engine: Engine, directory: Path) -> None:
    """Callers in debug mode, and nobody."""
    code = example("secure-counter.js") + "exports.who = () => System.caller\n"
    names = [{"caller": name} for name in ("bob", "alice", "\u00e9\u2028\\")]
    calls: list[tuple[Any, ...]] = [("who",), *(("who", name) for name in names)]
    calls += [("claimOwnership", names[0]), ("increment", names[0]), ("increment", names[1])]
    Honest(engine, directory, debug=True).run(code, calls)


def lie(
    make: Callable[[Engine, Path], Path], change: Callable[[Path], object]
) -> Callable[[Engine, Path], None]:
    """Return what records a backend and then lies about it."""

    def record(engine: Engine, directory: Path) -> None:
        make(engine, directory)
        change(directory)

    return record


def signed(change: Callable[[Blocks], Blocks]) -> Callable[[Path], object]:
    """Return what signs a changed log."""

    def apply(directory: Path) -> None:
        aside = directory.with_name("aside")
        directory.rename(aside)
        host.cheat_log(aside, directory, change)

    return apply


def edited(seq: int, old: bytes, new: bytes) -> Callable[[Path], object]:
    """Return what signs a log with one entry changed."""
    return signed(lambda b: [*b[:seq], b[seq].replace(old, new), *b[seq + 1 :]])


def other_contents(directory: Path) -> None:
    """Sign other contents than the script wrote."""
    host.cheat_contents(directory, lambda b: [x.replace(b"second", b"SECOND") for x in b])


def of_oracles(seq: int, change: Callable[[list[Any]], object]) -> Callable[[Path], object]:
    """Return what signs a log with the oracles of one entry changed."""

    def apply(blocks: Blocks) -> Blocks:
        entry = json.loads(blocks[seq])
        change(entry["result"]["oracles"])
        return [*blocks[:seq], host.spelled(entry), *blocks[seq + 1 :]]

    return signed(apply)


def spoilt(directory: Path) -> None:
    """Change one bit of the log."""
    host.flip(directory / "call-log.data", (directory / "call-log.data").stat().st_size // 2)


RECORDINGS: dict[str, Callable[[Engine, Path], object]] = {
    "honest-counter": backends.counter,
    "honest-everything": everything,
    "honest-files": files,
    "honest-epochs": epochs,
    "honest-callers": callers,
    "lie-result": lie(backends.counter, edited(2, b'"res":2', b'"res":9')),
    "lie-argument": lie(backends.photos, edited(2, b'"second"]', b'"sEcond"]')),
    "lie-file": lie(backends.photos, other_contents),
    "lie-removed": lie(backends.counter, signed(lambda b: [*b[:2], *b[3:]])),
    "lie-added": lie(backends.counter, signed(lambda b: [*b[:3], b[2], *b[3:]])),
    "lie-script": lie(backends.counter, edited(0, b"i++", b"i--; while (0) 1")),
    "lie-caller": lie(backends.secure, edited(2, b'"bob"', b'"eve"')),
    "behind-last-removed": lie(backends.counter, signed(lambda b: b[:-1])),
    "honest-oracles": oracles,
    "lie-oracle-source": lie(two_oracles, of_oracles(1, lambda o: o[0].update(source="0" * 64))),
    "lie-oracle-missing": lie(two_oracles, of_oracles(1, lambda o: o.pop())),
    "lie-oracle-surplus": lie(two_oracles, of_oracles(1, lambda o: o.append(o[0]))),
    "lie-oracle-reordered": lie(two_oracles, of_oracles(1, lambda o: o.reverse())),
    "lie-bit": lie(backends.counter, spoilt),
}


RIGHT = {"honest": 0, "lie": 1, "behind": 3}


def verdict(directory: Path) -> dict[str, Any]:
    """Return what the command says of a directory, without the words."""
    done = CliRunner().invoke(main, ["verify", str(directory), "--no-memory", "--json"])
    document = json.loads(done.stdout)
    kept = {name: value for name, value in document.items() if name not in NOT_THE_VERDICT}
    return {"exitCode": done.exit_code, **kept}


def record(engine: Engine, name: str, place: Path) -> int:
    """Record one backend and its verdict, and return the bytes of both."""
    made, target = place / name, GOLDEN / name
    RECORDINGS[name](engine, made)
    shutil.rmtree(target, ignore_errors=True)
    for part in made.rglob("*"):
        if part.is_file() and part.name.rpartition(".")[2] in PARTS:
            kept = target / part.relative_to(made)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(part, kept)
    found = verdict(target)
    right = RIGHT[name.partition("-")[0]]
    if found["exitCode"] != right:
        raise SystemExit(f"{name}: verify says {found}")
    (target / "verdict.json").write_text(json.dumps(found, indent=1) + "\n")
    return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())


def record_all() -> None:
    """Record every backend."""
    engine, total = Engine(), 0
    for name in RECORDINGS:
        with tempfile.TemporaryDirectory() as place:
            size = record(engine, name, Path(place))
        total += size
        print(f"{size:>9,}  {name}")
    print(f"{total:>9,}  bytes in all, engine {engine.id}", file=sys.stderr)


if __name__ == "__main__":
    record_all()
