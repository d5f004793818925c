"""The two imports of the guest, and the C interface under them, with small modules of our own."""

from __future__ import annotations

import threading
from importlib import resources

import pytest
import wasmtime

from nodevms.errors import LocalProtocolError
from nodevms.sandbox import ENGINE_STACK_BYTES, Engine, capi
from nodevms.sandbox.doors import Doors
from nodevms.vm.engine_thread import on_engine_thread

ASKING = """(module
  (import "host" "call" (func $call (param i32 i32 i32) (result i32)))
  (import "host" "take" (func $take (param i32)))
  (memory (export "memory") 1)
  (global (export "gas") (mut i64) (i64.const 5))
  (global (export "__stack_pointer") (mut i32) (i32.const -6))
  (func (export "ask") (param i32) (result i32)
    (call $call (local.get 0) (i32.const -1) (i32.const 3))
    (call $take (i32.const -8)))
  (func (export "crash") (param i32) (result i32) unreachable)
  (func (export "deep") (param i32) (result i32) (local.get 0) (call 4 (local.get 0)) i32.add)
  (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0))))"""


class Noting:
    def __init__(self, answer: int | None) -> None:
        self.seen: list[object] = []
        self._answer = answer

    def answer(self, operation: int, pointer: int, length: int) -> int | None:
        self.seen.append((operation, pointer, length))
        return self._answer

    def take(self, pointer: int) -> None:
        self.seen.append(pointer)


class Guest:
    def __init__(self) -> None:
        engine = wasmtime.Engine()
        self.doors = Doors(engine, wasmtime.Module(engine, ASKING))
        self.store = wasmtime.Store(engine)
        self.exports = capi.Exports(self.store, self.doors.instantiate(self.store))


def test_requests_reach_the_instance_that_was_entered() -> None:
    def enter() -> None:
        guest = Guest()
        ask = capi.bind(guest.exports, "ask")
        one, two = Noting(41), Noting(42)
        assert guest.doors.lead_to(one) is None
        assert ask(7) == (41, None)
        assert guest.doors.lead_to(two) is one
        assert ask(8) == (42, None)
        assert one.seen == [(7, 0xFFFFFFFF, 3), 0xFFFFFFF8]
        assert two.seen == [(8, 0xFFFFFFFF, 3), 0xFFFFFFF8]
        assert guest.doors.lead_to(None) is two

    on_engine_thread(enter)


def test_threads_do_not_see_each_others_instances() -> None:
    guest = Guest()
    other = Noting(1)
    on_engine_thread(lambda: guest.doors.lead_to(other))
    assert on_engine_thread(lambda: guest.doors.lead_to(None)) is None


def test_no_answer_stops_the_guest_and_frees_its_trap() -> None:
    def enter() -> None:
        guest = Guest()
        ask = capi.bind(guest.exports, "ask")
        guest.doors.lead_to(Noting(None))
        for _ in range(1000):
            assert ask(1) == (0, wasmtime.TrapCode.UNREACHABLE.value)
        guest.doors.lead_to(Noting(5))
        assert ask(1) == (5, None)

    on_engine_thread(enter)


def test_traps_are_told_apart_and_do_not_stick() -> None:
    def enter() -> None:
        exports = Guest().exports
        codes = wasmtime.TrapCode
        assert capi.bind(exports, "crash")(1) == (0, codes.UNREACHABLE.value)
        assert capi.bind(exports, "deep")(1) == (0, codes.STACK_OVERFLOW.value)
        divide = capi.bind(exports, "divide")
        assert divide(0) == (0, codes.INTEGER_DIVISION_BY_ZERO.value)
        assert divide(1) == (1, None)

    on_engine_thread(enter)


def test_globals_are_read_and_written_in_their_width() -> None:
    exports = Guest().exports
    gas = capi.Global(exports, "gas", wide=True)
    stack = capi.Global(exports, "__stack_pointer", wide=False)
    assert (gas.get(), stack.get()) == (5, -6)
    for number in (-1, 1 << 60, -(1 << 62)):
        gas.set(number)
        assert gas.get() == number
    stack.set(70_000)
    assert (gas.get(), stack.get()) == (-(1 << 62), 70_000)


def test_memory_grows_within_its_limit() -> None:
    guest = Guest()
    guest.store.set_limits(memory_size=3 * 65536)
    memory = guest.exports.address("memory")
    capi.grow_memory(guest.exports.context, memory, 2)
    assert capi.memory_size(guest.exports.context, memory) == 3 * 65536
    with pytest.raises(MemoryError):
        capi.grow_memory(guest.exports.context, memory, 1)
    assert capi.memory_size(guest.exports.context, memory) == 3 * 65536


def test_an_export_that_is_not_there() -> None:
    with pytest.raises(KeyError):
        Guest().exports.address("nothing")


@pytest.mark.parametrize(
    "wanted",
    ['"wasi_snapshot_preview1" "fd_write"', '"host" "open"', '"env" "call"'],
)
def test_a_guest_that_wants_more_is_refused(wanted: str) -> None:
    engine = wasmtime.Engine()
    module = wasmtime.Module(engine, f"(module (import {wanted} (func)))")
    with pytest.raises(ValueError, match="the guest wants"):
        Doors(engine, module)


def test_the_committed_guest_is_the_one_that_its_hash_names(engine: Engine) -> None:
    kept = resources.files("nodevms.sandbox").joinpath("guest.wasm.sha256").read_text()
    assert kept == f"{engine.id.removeprefix('sha256:')}  guest.wasm\n"


@pytest.mark.parametrize(
    ("size", "enough"), [(1 << 20, False), (127 << 20, False), (ENGINE_STACK_BYTES, True)]
)
def test_a_thread_with_a_small_stack_is_refused(size: int, enough: bool) -> None:
    doors = Guest().doors
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            doors.lead_to(None)
        except LocalProtocolError as error:
            errors.append(error)

    before = threading.stack_size(size)
    try:
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert (errors == []) is enough
    for error in errors:
        assert "stack" in str(error)
        assert "ENGINE_STACK_BYTES" in str(getattr(error, "hint", ""))
