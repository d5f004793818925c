"""Scripts that change the language under the engine's feet, or look for a way out."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sandbox_machine import Machine

Run = Callable[..., Machine]

VICTIMS = """
const random = Math.random
exports.plain = x => x + 1
exports.error = () => { try { null.x } catch (e) { return e.name } }
exports.later = async () => { await 1; return 5 }
exports.text = async () => { await System.files.writeFile('/a', 'hey'); const t = await System.files.readFile('/a'); return t }
exports.json = async () => { await System.files.writeFile('/a', 7); const n = await System.files.readFile('/a', 'json'); return n }
exports.hex = async () => { await System.files.writeFile('/a', '6869', 'utf8'); const t = await System.files.readFile('/a', {encoding: 'hex'}); return t }
exports.missing = async () => { try { await System.files.readFile('/no') } catch (e) { return e.name } }
exports.print = () => { console.log('x', 1, {a: 1}, [1, 2]); console.error(new Error('e')); console.table([{a: 1}]); console.count() }
exports.timers = () => new Promise(r => { setTimeout(() => r(9), 5); setTimeout(() => { throw 1 }); clearTimeout(setTimeout(r)) })
exports.alone = () => { (async () => { throw new Error('un') })(); return 1 }
exports.caller = () => System.caller.id
exports.bytes = () => new TextEncoder().encode('é')[0]
exports.decoded = () => new TextDecoder().decode(new Uint8Array(2))
exports.random = () => typeof random()
"""
PATCH_EVERYTHING = """
exports.patch = () => {
  const {defineProperty, getOwnPropertyNames, getOwnPropertyDescriptor} = Object
  const thrower = function () { throw new Error('poisoned') }
  const symbols = [Symbol.iterator, Symbol.toPrimitive, Symbol.species, Symbol.hasInstance, Symbol.toStringTag]
  const classes = [Array, String, Map, Set, RegExp, Date, Uint8Array, Object.getPrototypeOf(Uint8Array), Function,
    Object, JSON, Reflect, Math, Number, Symbol, ArrayBuffer, Error, BigInt, Boolean, DataView]
  for (let c = 0; c < classes.length; c++) {
    for (let side = 0; side < 2; side++) {
      const target = side === 0 ? classes[c] : classes[c].prototype
      if (!target) continue
      const names = getOwnPropertyNames(target)
      for (let s = 0; s < symbols.length; s++) names[names.length] = symbols[s]
      for (let n = 0; n < names.length; n++) {
        if (names[n] === 'constructor' || names[n] === 'prototype') continue
        const own = getOwnPropertyDescriptor(target, names[n])
        if (own && !own.configurable) continue
        try { defineProperty(target, names[n], {value: thrower, configurable: true, writable: true}) } catch {}
      }
    }
  }
}
"""
PATCH_MEMBERS = """
exports.patch = () => {
  const names = ['0', '1', '2', 'value', 'error', 'due', 'next', 'get', 'set', 'id', 'encoding', 'stat', 'recursive',
    'writable', 'enumerable', 'configurable', 'toJSON', 'code', 'mode', 'left', 'alone', 'delay', 'waits', 'count']
  const {defineProperty} = Object
  for (let i = 0; i < names.length; i++) {
    const accessor = {get () { throw new Error('poisoned get') }, set () { throw new Error('poisoned set') }, configurable: true}
    const own = Object.create(null)
    own.get = accessor.get; own.set = accessor.set; own.configurable = true
    defineProperty(Object.prototype, names[i], own)
    defineProperty(Array.prototype, names[i], own)
  }
}
"""
TAKE_REQUESTS = """
exports.patch = () => {
  String.prototype.concat = () => 'not a request'
  JSON.stringify = () => 'not a request'
  String.prototype.toString = String.prototype.valueOf = () => 'not a request'
}
"""
RESULTS = {
    "plain": 2, "error": "TypeError", "later": 5, "text": "hey", "json": 7, "hex": "36383639", "missing": "NotFoundError", "print": None,
    "timers": 9, "alone": 1, "caller": "bob", "bytes": 0xC3, "decoded": "\0\0", "random": "number",
}  # fmt: skip


@pytest.mark.parametrize("patch", [PATCH_EVERYTHING, PATCH_MEMBERS, TAKE_REQUESTS])
def test_what_a_script_patches_reaches_nothing_of_ours(run: Run, patch: str) -> None:
    machine = run(VICTIMS + patch)
    before = {name: machine.value(name, 1, caller="bob") for name in RESULTS}
    printed, asked = list(machine.host.printed), list(machine.host.asked)
    assert before == RESULTS
    machine.value("patch")
    machine.host.printed.clear()
    machine.host.asked.clear()
    assert {name: machine.value(name, 1, caller="bob") for name in RESULTS} == RESULTS
    assert [level for level, _ in machine.host.printed] == [level for level, _ in printed]
    assert machine.host.asked == asked


@pytest.mark.parametrize("patch", [PATCH_EVERYTHING, PATCH_MEMBERS, TAKE_REQUESTS])
def test_errors_of_a_patched_script_are_told_as_ever(run: Run, patch: str) -> None:
    machine = run(
        patch
        + "exports.f = () => { throw new TypeError('t') }; exports.g = () => { throw [1, {a: 2}] }"
    )
    machine.value("patch")
    assert machine.error("f") == {"name": "TypeError", "message": "t"}
    assert json.loads(machine.call("g").error or b"").keys() <= {"value"}


@pytest.mark.parametrize(
    "attack",
    [
        "Object.prototype.then = f => f('stolen')",
        "Promise.prototype.then = () => { throw 1 }",
        "Promise = null; globalThis.Error = null; Object = Array = null",
        "for (const name of Object.getOwnPropertyNames(globalThis)) try { delete globalThis[name] } catch {}",
        "Object.freeze(Object.prototype); Object.freeze(Array.prototype); Object.freeze(globalThis)",
        "Error.stackTraceLimit = 0; Error.prepareStackTrace = () => { throw 1 }",
        "Error.prepareStackTrace = (e, frames) => frames; Object.defineProperty(Error.prototype, 'stack', {get () { throw 1 }})",
        "Object.setPrototypeOf(Array.prototype, new Proxy({}, {get () { throw 1 }, has () { throw 1 }}))",
        "Object.setPrototypeOf(globalThis, new Proxy({}, {has () { return true }, get () { return 'stolen' }}))",
        "console.log = null; Buffer.from = null; Buffer.prototype = null",
    ],
)
def test_one_call_cannot_break_the_next(run: Run, attack: str) -> None:
    machine = run(
        f"exports.attack = () => {{ {attack} }}; exports.f = x => x + 1; exports.e = () => {{ null.x }}"
    )
    machine.call("attack")
    assert machine.value("f", 1) == 2
    assert machine.error("e")["name"] == "TypeError"


@pytest.mark.parametrize(
    "expression",
    [
        "this.constructor.constructor('return typeof process + typeof require')()",
        "(0, eval)('typeof process + typeof require')",
        "(() => { try { return (function () { return typeof arguments.callee.caller })() } catch { return 'undefinedundefined' } })()",
        "(async () => { try { await import('fs') } catch { return 'undefinedundefined' } })()",
        "(() => { try { return typeof System.files.readFile.caller } catch { return 'undefined' } })()",
    ],
)
def test_there_is_no_way_to_a_host(run: Run, expression: str) -> None:
    assert "object" not in str(run(f"exports.f = () => {expression}").value("f"))
