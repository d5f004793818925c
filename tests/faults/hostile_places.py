"""Where a script can be when it meets a limit, and what it can do there to meet one."""

from __future__ import annotations

from nodevms.vm import Limits

LIMITS = Limits(
    gas=60_000_000,
    memory_bytes=16 << 20,
    written_bytes=5_000,
    written_paths=5,
    archive_bytes=1 << 20,
    console_bytes=2_000,
)

MEETINGS = {
    "gas": ("for (;;);", "ERR_GAS", "Out of gas: a call may use 60,000,000"),
    "memory": (
        "for (const a = []; ;) a.push(new ArrayBuffer(1e6))",
        "ERR_MEMORY",
        "Out of memory or stack: a call may use 16,777,216 bytes",
    ),
    "written bytes": (
        "System.files.writeFile('/big', 'x'.repeat(5001)).catch(() => {})",
        "ERR_WRITTEN_BYTES",
        "The call would write more than 5,000 bytes",
    ),
    "written paths": (
        "for (let i = 0; i < 6; i++) System.files.writeFile('/' + i, '').catch(() => {})",
        "ERR_WRITTEN_PATHS",
        "The call would change more than 5 paths",
    ),
}
"""What is done, the code of the limit that it meets, and the message."""

PLACES = {
    "the body": "() => { BODY }",
    "after an await": "async () => { await null; BODY }",
    "a microtask": "() => new Promise(done => queueMicrotask(() => { BODY; done() }))",
    "a timer": "() => new Promise(done => setTimeout(() => { BODY; done() }, 5))",
    "a timer that nobody waits for": (
        "async () => { setTimeout(() => { BODY }); await new Promise(r => setTimeout(r, 5)) }"
    ),
    "a getter of the result": "() => ({ get x () { BODY; return 1 } })",
    "a getter deep in the result": "async () => [[{ y: { get x () { BODY; return 1 } } }]]",
    "toJSON": "() => ({ toJSON () { BODY; return 1 } })",
    "a Proxy as the result": "() => new Proxy({}, { ownKeys () { BODY; return [] } })",
    "a Proxy's getter": "() => new Proxy({ x: 1 }, { get () { BODY; return 1 } })",
    "a then": "() => ({ then (done) { BODY; done(1) } })",
    "a getter of then": "() => ({ get then () { BODY } })",
    "the message of an error": (
        "() => { throw Object.defineProperty(new Error(), 'message', { get () { BODY; return '' } }) }"
    ),
    "toString for the console": "() => console.count({ toString () { BODY; return '' } })",
    "a finally": "() => { try { throw 1 } finally { BODY } }",
    "a generator": "() => [...(function * () { BODY; yield 1 })()]",
    "a callback of the engine": "() => [2, 1].sort(() => { BODY; return 0 })",
    "code from text": "() => (0, eval)(`BODY`)",
}
"""Functions to be exported, with BODY for what is done."""

STARTS = {
    "loading": "BODY; exports.f = () => 1",
    "a microtask of loading": "queueMicrotask(() => { BODY }); exports.f = () => 1",
    "a timer of init": (
        "exports.f = () => 1; exports.HOOK = () => new Promise(r => setTimeout(() => { BODY; r() }))"
    ),
    "init": "exports.f = () => 1; exports.HOOK = () => { BODY }",
    "the result of init": "exports.f = () => 1; exports.HOOK = () => ({ get x () { BODY; return 1 } })",
    "a then of init": "exports.f = () => 1; exports.HOOK = () => ({ then (r) { BODY; r() } })",
    "a getter that is listed": (
        "Object.defineProperty(exports, 'f', { enumerable: true, get () { BODY; return () => 1 } })"
    ),
    "exports that are a Proxy": (
        "module.exports = new Proxy({ f () {} }, { ownKeys () { BODY; return [] } })"
    ),
}
"""Scripts, with BODY for what is done and HOOK for `init` or `upgrade`."""
