"""Puts the gas meter into the guest: instructions are counted by the module itself.

The module gets an exported mutable i64 global ``gas``. Every straight-line run of instructions
first subtracts their number; at the entry of each function and the head of each loop, which are the
only ways to run without end, a negative rest is a trap (``unreachable``). Block structure and
``nop`` are free, every other instruction costs 1. The count is a property of the module's bytes and
so the same under every wasmtime, processor and process; wasmtime's own fuel is not.

Each pass of a loop that may follow pointers (``loops.py``) costs ``LOOP_PASS`` more: a few
instructions are enough for that, and each pass may wait for memory as long as hundreds take.
"""

from __future__ import annotations

import instructions as op
import loops
import wasm

LOOP_PASS = 32
_FREE = frozenset({op.UNREACHABLE, op.NOP, op.BLOCK, op.LOOP, op.ELSE, op.END})
# After these the next instruction may be reached from elsewhere, or not at all.
_ENDS_RUN = frozenset(
    {op.UNREACHABLE, op.LOOP, op.IF, op.ELSE, op.END, op.BR, op.BR_IF, op.BR_TABLE, op.RETURN}
)


def inject(module: bytes) -> bytes:
    """Returns the module with its gas meter, and without custom sections.

    Raises:
        wasm.FormatError: An instruction or section that is not known here.
    """
    sections = wasm.read_sections(module)
    gas_index = next(wasm.read_unsigned(s.body, 0)[0] for s in sections if s.number == wasm.GLOBAL)
    if any(kind == wasm.EXPORT_GLOBAL for kind in _import_kinds(sections)):
        raise wasm.FormatError("imported globals would shift the index of gas")
    reference = wasm.unsigned(gas_index)
    return wasm.write_sections([_metered(s, reference) for s in sections])


def _import_kinds(sections: list[wasm.Section]) -> list[int]:
    kinds = []
    for section in sections:
        if section.number != wasm.IMPORT:
            continue
        count, at = wasm.read_unsigned(section.body, 0)
        for _ in range(count):
            for _name in range(2):
                length, at = wasm.read_unsigned(section.body, at)
                at += length
            kinds.append(section.body[at])
            if kinds[-1] != 0:
                raise wasm.FormatError("only functions are imported")
            at = wasm.skip_leb(section.body, at + 1)
    return kinds


def _metered(section: wasm.Section, gas: bytes) -> wasm.Section:
    body = section.body
    count, at = wasm.read_unsigned(body, 0)
    if section.number == wasm.GLOBAL:
        zero = bytes([wasm.I64, wasm.MUTABLE, wasm.I64_CONST, 0, wasm.END])
        body = wasm.unsigned(count + 1) + body[at:] + zero
    elif section.number == wasm.EXPORT:
        body = wasm.unsigned(count + 1) + body[at:] + b"\x03gas" + bytes([wasm.EXPORT_GLOBAL]) + gas
    elif section.number == wasm.CODE:
        functions = []
        for _ in range(count):
            length, at = wasm.read_unsigned(body, at)
            function = _metered_function(body[at : at + length], gas)
            functions.append(wasm.unsigned(len(function)) + function)
            at += length
        body = wasm.vector(functions)
    return wasm.Section(section.number, body)


def _metered_function(function: bytes, gas: bytes) -> bytes:
    groups, at = wasm.read_unsigned(function, 0)
    for _ in range(groups):
        at = wasm.skip_leb(function, at) + 1
    out = bytearray(function[:at])
    run_start, cost, check = at, 0, True
    dear = loops.following(function, at)
    while at < len(function):
        opcode = function[at]
        at = op.after(function, at)
        cost += opcode not in _FREE
        if opcode not in _ENDS_RUN:
            continue
        if cost:
            out += _charge(cost, gas, check)
            check = False
        out += function[run_start:at]
        run_start, cost = at, LOOP_PASS if at in dear else 0
        check = check or opcode == op.LOOP
    if run_start != len(function):
        raise wasm.FormatError("a function does not end with `end`")
    return bytes(out)


def _charge(cost: int, gas: bytes, check: bool) -> bytes:
    # global.get gas; i64.const cost; i64.sub; global.set gas
    code = b"\x23" + gas + b"\x42" + wasm.signed(cost) + b"\x7d\x24" + gas
    if check:
        # global.get gas; i64.const 0; i64.lt_s; if; unreachable; end
        code += b"\x23" + gas + b"\x42\x00\x53\x04\x40\x00\x0b"
    return code
