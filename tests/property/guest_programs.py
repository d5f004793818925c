"""Random scripts, and what they come to: the outcomes of their calls and the memory at the end.

Run as a program, it reads programs from standard input and prints what they come to, so that
another process, with other settings of the machine, can be compared.
"""

from __future__ import annotations

import json
import sys

from hypothesis import strategies as st

from nodevms.sandbox import Engine, Host, Limits, Meter, Operation, Sandbox
from nodevms.vm.engine_thread import on_engine_thread

LIMITS = Limits(gas=300_000_000, memory_bytes=16 << 20, result_bytes=20_000)
TIME_MS = 1_700_000_000_123

# Each is an expression over `x`, the value so far; whatever it throws is caught.
EXPRESSIONS = [
    *("x", "[x, x]", "({x})", "[...String(x)]", "new Date(x + 1e12).toString()", "new Date(2024, 2, 31, 2, 30).getTime()"),
    *("Date.parse(String(x))", "new Date('2024-01-01').toLocaleString()", "new Date(NaN) + 1", "Date.now() + new Date().getTimezoneOffset()"),
    *("Math.sin(+x) + Math.pow(1.1, +x % 99) + Math.exp(+x % 7)", "(+x % 1e5).toFixed(7)", "(1e21 + +x).toString(36)", "0.1 + +x", "Math.fround(+x) ** 0.3"),
    *("BigInt(Math.trunc(+x) || 3) ** 70n + ''", "(12345678901234567890n * BigInt(7)).toLocaleString()", "Number.MAX_VALUE * x", "Math.hypot(3, +x || 4)"),
    *("new Error('e' + typeof x).stack", "(() => { try { null.x } catch (e) { return e.message + e.stack } })()", "Object.keys({b: 1, a: 2, 3: x, 1: x})"),
    *("[3, 1, 2, undefined, , x].sort()", "Array.from({length: 50}, (_, i) => i * 7 % 13).sort((a, b) => a - b)", "['ä', 'z', 'a', 'Ö'].sort((a, b) => a.localeCompare(b))"),
    *("Array.from({length: 30}, (_, i) => ({k: i * 7 % 5, i})).sort((a, b) => a.k - b.k).map(o => o.i)", "[2, 1, 3].sort(() => Math.random() - 0.5)"),
    *("[...new Map([[{}, 1], [x, 2], [Symbol.iterator, 3]]).values()]", "[...new Set([x, NaN, NaN, -0, 0])]", "String(Symbol(typeof x))", "JSON.stringify(x)"),
    *("'İ'.toLowerCase() + 'ß'.toUpperCase() + '\\u0344'.normalize('NFD')", "'aXbXc'.replace(/x/gi, m => m + Math.random())", "/(a+)+$/.exec('aaaaaaaaaaaaab')"),
    *("String(x).match(/\\p{L}+|\\d/gu)", "'x'.repeat(Math.abs(+x % 1000) | 0)", "new Uint8Array(Math.abs(+x % 5000) | 0).fill(7).join().length", "new Float64Array([+x, NaN, -0])"),
    *("new Uint8Array(new Float64Array([NaN, 0 / 0, Math.sqrt(-1), -NaN, Infinity - Infinity]).buffer).join()", "structuredClone({x, d: new Date(5)})", "Buffer.from(String(x)).toString('base64')"),
    *("new URL('http://Bücher.example/?q=' + encodeURIComponent(String(x))).href", "new TextDecoder().decode(new Uint8Array([0xf0, 0x9f, 65, 255]))", "btoa('x' + typeof x)"),
    *("keep.push(x) + keep.length", "(keep.length = 0)", "Object.getOwnPropertyNames(globalThis).length", "Reflect.ownKeys(System.files).join()", "(function f () { return f.toString() })()"),
    *("Promise.resolve(x).then(y => [y, 1])", "new Promise(r => setTimeout(() => r(keep.length), 5))", "Promise.reject(new TypeError('no')).catch(String)", "(async () => { await null; return typeof x })()"),
    *("System.files.readFile('/a').catch(e => e.name + e.stack)", "System.files.writeFile('/a', [typeof x])", "System.caller.id", "System.files.stat('/a').then(s => s.mtime)"),
    *("(Object.prototype.then = undefined, 1)", "(Array.prototype[7] = 'seven', [1, 2].length)", "(String.prototype.concat = () => 'mine', 2)", "(Error.prepareStackTrace = (e, s) => s.length, 3)"),
    *("delete Error.prepareStackTrace", "delete Array.prototype[7]", "Math.random()", "eval('1 + ' + (typeof x).length)", "new Function('a', 'return a')(x)", "[...Array(20)].map((_, i) => new WeakMap([[{}, i]])).length"),
    # These are stopped by a limit, and undone.
    *("(() => { for (;;); })()", "Array(5e6).fill('long').map(String)", "'y'.repeat(30_000)", "new Promise(() => {})", "(() => { const a = []; for (;;) a.push([...a]) })()"),
]  # fmt: skip

Program = list[list[int]]


def programs() -> st.SearchStrategy[Program]:
    """Return calls, each of which works a few expressions one after the other."""
    expression = st.integers(0, len(EXPRESSIONS) - 1)
    return st.lists(st.lists(expression, min_size=1, max_size=4), min_size=1, max_size=8)


CODE = (
    """const keep = []
exports.run = async steps => {
  let x = steps.length
  for (const step of steps) {
    try { x = await work[step](x) } catch (e) { x = String(e) + (e && e.stack) }
    if (typeof x === 'bigint' || typeof x === 'symbol') x = String(x)
    console.log(x)
  }
  return x
}
const work = ["""
    + "".join(f"\nx => ({text})," for text in EXPRESSIONS)
    + "\n]"
)


class FewFiles(Host):
    """One file, one seed, and what was printed."""

    def __init__(self) -> None:
        self.data = b"[1]"
        self.printed: list[str] = []

    def call(self, operation: int, request: bytes, meter: Meter, /) -> bytes:
        if operation == Operation.SEED:
            return b"%016x" % len(self.printed)
        if operation == Operation.CONSOLE:
            self.printed.append(request.decode())
            return b""
        meter.charge(12_345)
        text, zero, data = request.partition(b"\0")
        if zero:
            self.data = data
        if text.startswith(b'["stat"'):
            return b'{"value":{"mode":33188,"size":2,"blocks":1,"mtime":5,"ctime":5}}'
        return b'{"value":null}\0' + self.data


def outcomes(engine: Engine, program: Program, extra: int = 0) -> list[object]:
    """Return what each call came to, what was printed, and the hash of the memory.

    Args:
        engine: The engine.
        program: The calls.
        extra: Calls that are undone, before each: they must not show.
    """
    host = FewFiles()
    sandbox = Sandbox(engine, LIMITS)
    found: list[object] = []

    def run() -> None:
        sandbox.start(CODE, None, time_ms=TIME_MS, host=host)
        for number, steps in enumerate(program):
            for _ in range(extra):
                stopped = json.dumps([[len(EXPRESSIONS) - 5 + 3, len(EXPRESSIONS) - 3]]).encode()
                sandbox.call("run", stopped, caller=None, time_ms=TIME_MS, host=FewFiles())
            outcome = sandbox.call(
                "run",
                json.dumps([steps]).encode(),
                caller=None if number % 2 else "bob",
                time_ms=TIME_MS + number,
                host=host,
            )
            shown = [repr(outcome.result), repr(outcome.error), outcome.gas, outcome.undone]
            found.append([*shown, outcome.stack])
        found.append(host.printed)
        found.append(sandbox.heap_hash())

    on_engine_thread(run)
    return found


def main() -> None:
    """Answer each line, a program, with a line, what it comes to."""
    engine = Engine()
    for line in sys.stdin:
        print(json.dumps(outcomes(engine, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
