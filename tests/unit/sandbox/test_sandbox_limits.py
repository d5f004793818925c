"""Endless loops, allocation and recursion, in the script's code and in the engine's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_machine import Machine

from nodevms.sandbox import Engine, EngineFaultError, HostTimeoutError, Limits, Outcome
from nodevms.sandbox import engine as engine_module
from nodevms.sandbox.instance import WALL_GAS_PER_SECOND, WALL_SECONDS_MIN
from nodevms.vm.engine_thread import on_engine_thread

Run = Callable[..., Machine]
GAS = 600_000_000


def stopped(run: Run, body: str, **limits: int) -> Outcome:
    """Run a body after a change to the script's memory, and check that both are undone."""
    machine = run(
        f"let n = 0; exports.n = () => ++n; exports.f = async () => {{ n = 9; {body} }}", **limits
    )
    outcome = machine.call("f")
    assert machine.value("n") == 1
    return outcome


@pytest.mark.parametrize(
    "body",
    [
        "for (;;);",
        "for (;;) await null",
        "for (;;) try { for (;;); } catch {} finally { continue }",
        "const f = () => queueMicrotask(f); f()",
        "const f = () => setTimeout(f); f(); await new Promise(() => {})",
        "setInterval(() => {}); await new Promise(() => {})",
        "function g () { try { g() } finally { g() } } g()",
        "/(a*)*b/.test('a'.repeat(40))",
        "Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)",
        "new Set({[Symbol.iterator]: () => ({next: () => ({value: 1})})})",
        "return {toJSON () { for (;;); }}",
        "throw Object.defineProperty(new Error(), 'message', {get () { for (;;); }})",
    ],
)
def test_what_never_ends_runs_out_of_gas(run: Run, body: str) -> None:
    outcome = stopped(run, body, gas=GAS)
    assert outcome.undone
    assert outcome.gas == GAS
    assert json.loads(outcome.error or b"") == {
        "name": "LimitError",
        "message": f"Out of gas: a call may use {GAS:,}",
        "code": "ERR_GAS",
    }


@pytest.mark.parametrize(
    "body",
    [
        "const a = []; for (;;) a.push(new ArrayBuffer(100_000))",
        "const a = []; try { for (;;) a.push('x'.repeat(100_000)) } catch { return 'caught' }",
        "let a = []; for (;;) a = [a]",
        "const m = new Map(); for (;;) m.set(m.size, m.size)",
        "return 'x'.repeat(2 ** 28)",
        "return 'ab'.padEnd(2 ** 28)",
        "return new Uint8Array(2 ** 30)",
        "const b = new ArrayBuffer(8, {maxByteLength: 2 ** 30}); b.resize(2 ** 30)",
        "return JSON.stringify('x'.repeat(4_000_000)).repeat(2)",
        "return /^(.)*$/s.test('a'.repeat(4_000_000))",
        "return 'ﷺ'.repeat(400_000).normalize('NFKD')",
        "return new Array(2 ** 24).fill(0)",
        "await System.files.writeFile('/a', 'x'.repeat(6_000_000))",
    ],
)
def test_what_needs_too_much_memory_is_stopped_where_it_stands(run: Run, body: str) -> None:
    outcome = stopped(run, body, memory_bytes=16 << 20, gas=5_000_000_000)
    assert outcome.undone
    assert json.loads(outcome.error or b"")["code"] == "ERR_MEMORY"


def test_memory_up_to_the_limit_can_be_used_again_and_again(run: Run) -> None:
    machine = run("exports.f = () => new ArrayBuffer(12_000_000).byteLength", memory_bytes=16 << 20)
    assert [machine.value("f") for _ in range(20)] == [12_000_000] * 20


def test_a_file_larger_than_the_memory_stops_the_call(run: Run) -> None:
    machine = run("exports.f = () => System.files.readFile('/a', 'binary')", memory_bytes=16 << 20)
    machine.host.files["/a"] = bytes(20 << 20)
    assert json.loads(machine.call("f").error or b"")["code"] == "ERR_MEMORY"
    machine.host.files["/a"] = b"x"
    assert machine.call("f").error is None


def test_arguments_larger_than_the_memory_are_no_fault_of_the_engine(run: Run) -> None:
    machine = run("let n = 0; exports.f = () => ++n", memory_bytes=16 << 20)
    assert json.loads(machine.call("f", "x" * (90 << 20)).error or b"")["code"] == "ERR_MEMORY"
    assert machine.value("f", "x" * (1 << 20)) == 1


@pytest.mark.parametrize(
    "body",
    [
        "const g = () => g(); g()",
        "class A { constructor () { new A() } } new A()",
        "const o = {get a () { return this.a }}; o.a",
        "const o = {toString () { return '' + o }}; '' + o",
        "[2, 1].sort(function s () { [2, 1].sort(s) })",
        "'a'.replace(/a/, function r (x) { x.replace(/a/, r) })",
        "JSON.parse('['.repeat(1e5))",
        "JSON.stringify({toJSON () { return JSON.stringify(this) }})",
        "let a = []; for (let i = 0; i < 2e4; i++) a = [a]; structuredClone(a)",
        "let p = {}; for (let i = 0; i < 2e4; i++) p = new Proxy(p, {}); p.x",
        *(f"(0, eval)({text})" for text in [
            "'('.repeat(1e5)", "'['.repeat(1e5)", "'{'.repeat(1e5)", "'!'.repeat(1e5)", "'a=>'.repeat(1e5)",
            "'`${'.repeat(1e5)", "'new '.repeat(1e5)", "'(class{['.repeat(1e5)", "'if(1)'.repeat(1e5)",
        ]),
    ],
)  # fmt: skip
def test_deep_recursion_is_a_range_error_that_a_script_can_catch(run: Run, body: str) -> None:
    machine = run(f"exports.f = () => {{ try {{ {body} }} catch (e) {{ return e.name }} }}")
    assert machine.value("f") == "RangeError"


@pytest.mark.parametrize(
    "expression", ["'('.repeat(1e5)", "'(?=' .repeat(1e5)", "'[a'.repeat(1e5)"]
)
def test_the_parser_of_regular_expressions_refuses_what_is_too_deep(
    run: Run, expression: str
) -> None:
    machine = run(f"exports.f = () => new RegExp({expression}, 'v')")
    assert machine.error("f")["name"] == "SyntaxError"


def test_where_the_engine_does_not_watch_its_stack_the_call_is_stopped(run: Run) -> None:
    outcome = stopped(
        run, "let i = [1].values(); for (let k = 0; k < 2e4; k++) i = i.map(x => x); i.next()"
    )
    assert outcome.undone
    assert json.loads(outcome.error or b"")["code"] == "ERR_MEMORY"


def test_a_result_over_its_limit_is_undone(run: Run) -> None:
    outcome = stopped(run, "return 'x'.repeat(999)", result_bytes=1000)
    assert json.loads(outcome.error or b"") == {
        "name": "LimitError",
        "message": "The result has 1,001 bytes; 1,000 are allowed",
        "code": "ERR_RESULT_SIZE",
    }
    assert stopped(run, "throw new Error('x'.repeat(999))", result_bytes=1000).undone
    assert stopped(run, "n = 0; return 'x'.repeat(998)", result_bytes=1000).error is None


def test_a_script_that_does_not_load_within_its_limits_is_stopped(run: Run) -> None:
    for code, error in [("for (;;);", "ERR_GAS"), ("''.padEnd(2 ** 28)", "ERR_MEMORY")]:
        started = run(code, gas=GAS, memory_bytes=16 << 20).started
        assert started.undone
        assert json.loads(started.error or b"")["code"] == error


def test_a_forged_limit_error_undoes_nothing(run: Run) -> None:
    machine = run(
        "let n = 0; exports.n = () => n; exports.f = () => { n++; throw Object.assign(new Error('m'), {name: 'LimitError', code: 'ERR_GAS'}) }"
    )
    outcome = machine.call("f")
    assert outcome.error == b'{"name":"LimitError","message":"m","code":"ERR_GAS"}'
    assert not outcome.undone
    assert machine.value("n") == 1


def test_the_wall_clock_stops_an_entry_and_makes_no_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "TICK_SECONDS", 1e6)
    engine = Engine()

    class Slow:
        def call(self, operation: int, request: bytes, meter: object) -> bytes:
            for _ in range(WALL_SECONDS_MIN + GAS // WALL_GAS_PER_SECOND + 1):
                engine.tick()
            return b""

    machine = Machine(
        engine,
        "exports.f = () => { console.log(1); for (;;); }; exports.g = () => 1",
        Limits(gas=GAS),
    )
    with pytest.raises(HostTimeoutError) as caught:
        on_engine_thread(
            lambda: machine.sandbox.call("f", b"[]", caller=None, time_ms=0, host=Slow())
        )
    assert caught.value.code == "engine-timeout"
    assert caught.value.hint
    with pytest.raises(Exception, match="cannot be used"):
        machine.call("g")


def test_each_entry_has_the_whole_wall_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "TICK_SECONDS", 1e6)
    engine = Engine()
    machine = Machine(
        engine, "exports.f = () => { for (let i = 0; i < 1e5; i++); return 1 }", Limits(gas=GAS)
    )
    for _ in range(4):
        for _ in range(WALL_SECONDS_MIN - 1):
            engine.tick()
        assert machine.value("f") == 1
    machine.sandbox.close()


def test_a_native_stack_that_ends_first_makes_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "WASM_STACK_BYTES", 128 * 1024)
    machine = Machine(Engine(cache=False), "const g = () => g(); exports.f = g", Limits())
    with pytest.raises(EngineFaultError, match="stack"):
        machine.call("f")


ON_A_SMALL_MACHINE = """
import resource, sys
from sandbox_machine import TIME_MS, Machine
from nodevms.sandbox import Engine, EngineFaultError, Limits
from nodevms.vm.engine_thread import on_engine_thread
used = lambda: next(int(l.split()[1]) << 10 for l in open("/proc/self/status") if "VmData" in l)
code = "exports.f = n => new Uint8Array(n << 20).length"
small, large = (Machine(Engine(), code, Limits()) for _ in range(2))
def run():
    resource.setrlimit(resource.RLIMIT_DATA, (used() + (8 << 20), resource.RLIM_INFINITY))
    call = lambda machine, text: machine.sandbox.call(
        "f", text, caller=None, time_ms=TIME_MS, host=machine.host
    )
    assert call(small, b"[1]").result == b"1048576"
    for machine, text in ((small, b"[30]"), (large, b"[100]")):
        try:
            print(call(machine, text))
        except EngineFaultError as error:
            print(error)
on_engine_thread(run)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what may be written to")
def test_a_machine_without_the_memory_makes_no_outcome() -> None:
    """Another machine has it, and would call this one's outcome a lie."""
    done = subprocess.run(
        [sys.executable, "-c", ON_A_SMALL_MACHINE],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "this machine has not got the memory that a call may use\n" * 2
