"""The gas meter that the build puts into the guest: which passes of loops cost more, and how much."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import wasmtime

GUEST = Path(__file__).parents[3] / "guest"
GAS = 1_000_000

FOLLOWING = {
    "a list": "(local.set $p (i32.load offset=4 (local.get $p)))",
    "a list, by way of another local": (
        "(local.set $q (i32.load (local.get $p))) (local.set $p (i32.add (local.get $q) (i32.const 8)))"
    ),
    "a pointer in each element": (
        "(drop (i32.load (i32.load (local.get $p)))) (local.set $p (i32.add (local.get $p) (i32.const 4)))"
    ),
    "a place in memory that holds the pointer": (
        "(i32.store (i32.const 16) (i32.load (i32.load (i32.const 16))))"
    ),
    "indexes": (
        "(local.set $q (i32.load (i32.add (local.get $p) (i32.shl (local.get $q) (i32.const 2)))))"
    ),
    "writes by index": (
        "(i32.store (i32.shl (i32.load (local.get $p)) (i32.const 2)) (i32.const 1))"
        " (local.set $p (i32.add (local.get $p) (i32.const 4)))"
    ),
    "a pointer chosen by what was read": (
        "(local.set $p (select (i32.const 64) (i32.add (local.get $p) (i32.const 4)) (i32.load (local.get $p))))"
    ),
    "a pointer from an if with a result": (
        "(local.set $p (if (result i32) (i32.load (i32.const 0)) (then (i32.load (i32.const 4))) (else (i32.const 4))))"
        " (drop (i32.load (local.get $p)))"
    ),
    "a global": "(global.set $g (i32.load (global.get $g)))",
    "a function": "(call $other)",
    "memory that grows": "(drop (memory.grow (i32.const 0)))",
}
GOING_ON = {
    "counting": "(local.set $q (i32.mul (local.get $q) (i32.const 3)))",
    "a copy": (
        "(i32.store (local.get $q) (i32.load (local.get $p)))"
        " (local.set $p (i32.add (local.get $p) (i32.const 4)))"
        " (local.set $q (i32.add (local.get $q) (i32.const 4)))"
    ),
    "a search": (
        "(br_if $out (i32.eq (i32.load8_u (local.get $p)) (i32.const 7)))"
        " (local.set $p (i32.add (local.get $p) (i32.const 1)))"
    ),
    "a sum": (
        "(local.set $q (i32.add (local.get $q) (i32.load (local.get $p))))"
        " (local.set $p (i32.add (local.get $p) (i32.const 64)))"
    ),
    "what stands behind a jump": "(block (br 0) (drop (i32.load)))",
}


def module(body: str) -> bytes:
    return bytes(
        wasmtime.wat2wasm(f"""(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 0))
          (func $other)
          (func (export "run") (param $n i32) (local $p i32) (local $q i32)
            (block $out (loop $again {body}
              (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))))""")
    )


def used(metered: bytes, passes: int) -> int:
    """Run it and return the gas that it took."""
    store = wasmtime.Store()
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, metered), []).exports(store)
    gas: Any = exports["gas"]
    gas.set_value(store, wasmtime.Val.i64(GAS))
    run: Any = exports["run"]
    run(store, passes)
    return GAS - int(gas.value(store))


@pytest.fixture(scope="module")
def gas() -> Any:
    sys.path.insert(0, str(GUEST))
    try:
        return importlib.import_module("gas")
    finally:
        sys.path.remove(str(GUEST))


def extra(gas: Any, body: str, passes: int) -> int:
    """Return the gas that passes of loops cost beside their instructions."""
    plain = module(body)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gas, "LOOP_PASS", 0)
        instructions = used(gas.inject(plain), passes)
    return used(gas.inject(plain), passes) - instructions


@pytest.mark.parametrize("name", [*FOLLOWING, *GOING_ON])
def test_a_pass_costs_more_where_it_may_follow_a_pointer(gas: Any, name: str) -> None:
    expected = gas.LOOP_PASS * 10 if name in FOLLOWING else 0
    assert extra(gas, (FOLLOWING | GOING_ON)[name], 10) == expected


def test_a_loop_inside_has_a_price_of_its_own(gas: Any) -> None:
    inner = "(local.set $q (i32.const 5)) (loop BODY (br_if 0 (local.tee $q (i32.sub (local.get $q) (i32.const 1)))))"
    assert extra(gas, FOLLOWING["a list"] + inner.replace("BODY", ""), 10) == 10 * gas.LOOP_PASS
    assert extra(gas, inner.replace("BODY", FOLLOWING["a list"]), 10) == 60 * gas.LOOP_PASS


@pytest.mark.parametrize(
    ("targets", "calls", "passes_that_cost"), [(41, 3_000, 0), (39, 3_000, 3), (41, 2_000, 3)]
)
def test_a_loop_that_interprets_bytecode_is_exempt(
    gas: Any, targets: int, calls: int, passes_that_cost: int
) -> None:
    table = "(block (br_table " + "0 " * targets + "(i32.load (i32.const 0))))"
    assert extra(gas, table + "(call $other)" * calls, 3) == passes_that_cost * gas.LOOP_PASS


def test_what_the_meter_does_not_know_is_refused(gas: Any) -> None:
    body = "(memory.fill (i32.const 0) (i32.const 0) (i32.const 9))"
    with pytest.raises(ValueError, match="0xfc 11"):
        gas.inject(module(body))
