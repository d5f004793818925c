"""A script in which everything happens that can happen to a call, and calls for all of it."""

from __future__ import annotations

from typing import Any

from nodevms.vm.limits import Limits

QUICK = Limits(gas=200_000_000)
LONE = "\ud800 and \udfff"

EVERYTHING = """
const fs = System.files
let calls = 0
exports.count = () => ++calls
exports.echo = (...values) => values.length === 1 ? values[0] : values
exports.fail = message => { throw new TypeError(message) }
exports.failPlainly = value => { throw value }
exports.failWithNothing = () => { throw undefined }
exports.failAfterWriting = async () => { await fs.writeFile('/kept', 1); throw new Error('late') }
exports.nothing = () => {}
exports.notANumber = () => NaN
exports.aFunction = () => () => 1
exports.big = () => 10n
exports.circular = () => { const a = {}; a.a = a; return a }
exports.spin = async () => { calls = 100; await fs.writeFile('/lost', 1); for (;;); }
exports.recurse = function again () { return again() + 1 }
exports.allocate = () => { const all = []; for (;;) all.push(new Uint8Array(1 << 20)) }
exports.never = () => new Promise(() => {})
exports.abandoned = () => { Promise.reject(new Error('nobody waits')); return 1 }
exports.wait = ms => new Promise(resolve => setTimeout(() => resolve('later'), ms))
exports.throwLater = () => new Promise(() => setTimeout(() => { throw new Error('timer') }, 5))
exports.leaveTimer = () => { setTimeout(() => { calls = 1000 }, 50); return 'left' }
exports.ticks = () => new Promise(resolve => {
  let n = 0
  const t = setInterval(() => { if (++n === 3) { clearInterval(t); resolve(n) } }, 10)
})
exports.random = () => [Math.random(), Math.random()]
exports.now = () => [Date.now(), new Date().toISOString(), new Date(2020, 0, 1).getTime()]
exports.lone = () => '\\ud800 and \\udfff'
exports.deep = async depth => {
  let path = ''
  for (let i = 0; i < depth; i++) path += '/d' + i
  await fs.mkdir('/d0')
  await fs.writeFile(path + '/file.txt', 'deep')
  return (await fs.readdir('/', { recursive: true })).length
}
exports.large = async n => { await fs.writeFile('/large', 'x'.repeat(n)); return n }
exports.write = (path, text) => fs.writeFile(path, text)
exports.remove = path => fs.unlink(path)
exports.rename = (from, to) => fs.rename(from, to)
exports.many = async n => { for (let i = 0; i < n; i++) await fs.writeFile('/many/' + i, i) }
exports.print = () => { console.log('hello'); console.error({ a: 1 }) }
"""

CALLS: list[tuple[Any, ...]] = [
    ("count",),
    ("echo", 1, "two", None, [3.5, {"a": -0.0}], True),
    ("echo", LONE),
    ("echo", {"key " + LONE: LONE}),
    ("echo", '\u2028\u0000\u007f\U0001f600 /\\"'),
    ("echo", 1e300, -1e-300, 2**53, 10**400 // 10**380),
    ("fail", "with a message"),
    ("fail", LONE),
    ("failPlainly", {"code": 7}),
    ("failPlainly", None),
    ("failWithNothing",),
    ("nothing",),
    ("notANumber",),
    ("aFunction",),
    ("big",),
    ("circular",),
    ("count",),
    ("spin",),
    ("count",),
    ("recurse",),
    ("allocate",),
    ("never",),
    ("abandoned",),
    ("wait", 86_400_000),
    ("throwLater",),
    ("leaveTimer",),
    ("ticks",),
    ("count",),
    ("random",),
    ("now",),
    ("lone",),
    ("failAfterWriting",),
    ("deep", 60),
    ("large", 100_000),
    ("write", "/a", "one"),
    ("write", "/a", LONE),
    ("write", "/\u00e9\U0001f600", "name"),
    ("rename", "/a", "/b"),
    ("remove", "/b"),
    ("remove", "/missing"),
    ("write", "/x/../../y", "no"),
    ("many", 30),
    ("print",),
]
