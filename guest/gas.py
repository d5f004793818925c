"""Puts the gas meter into the guest: instructions are counted by the module itself.

The module gets an exported mutable i64 global ``gas``. Every straight-line run of instructions
first subtracts their number; at the entry of each function and the head of each loop, which are the
only ways to run without end, a negative rest is a trap (``unreachable``). Block structure and
``nop`` are free, every other instruction costs 1. The count is a property of the module's bytes and
so the same under every wasmtime, processor and process; wasmtime's own fuel is not.

Each pass of a loop costs ``LOOP_PASS`` more. A few instructions are enough to follow a pointer, and
each pass may wait for memory as long as hundreds of instructions take: chains of prototypes, of
names with one hash, of freed blocks. Exempt are the loops that interpret bytecode, known by their
size and their table of targets: what one of their passes does is long, or in a loop of its own.

An instruction that this file does not know is refused, above all bulk memory (whose work is not in
proportion to its count) and threads.
"""

from __future__ import annotations

import wasm

LOOP_PASS = 64
INTERPRETER_INSTRUCTIONS_MIN = 3_000
INTERPRETER_TARGETS_MIN = 40
_UNREACHABLE, _NOP, _BLOCK, _LOOP, _IF, _ELSE, _END = 0, 1, 2, 3, 4, 5, 0x0B
_FREE = frozenset({_UNREACHABLE, _NOP, _BLOCK, _LOOP, _ELSE, _END})
_BR_TABLE, _SELECT_TYPED, _F32_CONST, _F64_CONST, _PREFIX = 0x0E, 0x1C, 0x43, 0x44, 0xFC
_SATURATING_TRUNCATIONS_MAX = 7
# After these the next instruction may be reached from elsewhere, or not at all.
_ENDS_RUN = frozenset({_UNREACHABLE, _LOOP, _IF, _ELSE, _END, 0x0C, 0x0D, _BR_TABLE, 0x0F})
# How many LEB128 immediates an instruction has, where it is not none.
_IMMEDIATES = (
    dict.fromkeys([_BLOCK, _LOOP, _IF, 0x0C, 0x0D, 0x10], 1)
    | {0x11: 2}
    | dict.fromkeys(range(0x20, 0x27), 1)
    | dict.fromkeys(range(0x28, 0x3F), 2)
    | dict.fromkeys([0x3F, 0x40, 0x41, 0x42], 1)
)
_NO_IMMEDIATES = frozenset(
    {_UNREACHABLE, _NOP, _ELSE, _END, 0x0F, 0x1A, 0x1B, *range(0x45, 0xC5)},
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
    interpreters = _interpreters(function, at)
    while at < len(function):
        opcode = function[at]
        at = _after(function, at)
        cost += opcode not in _FREE
        if opcode not in _ENDS_RUN:
            continue
        if cost:
            out += _charge(cost, gas, check)
            check = False
        out += function[run_start:at]
        run_start = at
        cost = LOOP_PASS if opcode == _LOOP and at not in interpreters else 0
        check = check or opcode == _LOOP
    if run_start != len(function):
        raise wasm.FormatError("a function does not end with `end`")
    return bytes(out)


def _interpreters(function: bytes, at: int) -> set[int]:
    """Where the bodies begin of the loops in a function that interpret bytecode."""
    found = set()
    outer: list[list[int]] = []  # of each block around: its loop's offset or 0, length, targets
    while at < len(function):
        opcode, before = function[at], at
        at = _after(function, at)
        for block in outer:
            block[1] += 1
        if opcode in {_BLOCK, _LOOP, _IF}:
            outer.append([at if opcode == _LOOP else 0, 0, 0])
        elif opcode == _BR_TABLE:
            loops = [block for block in outer if block[0]]
            if loops:
                loops[-1][2] = max(loops[-1][2], wasm.read_unsigned(function, before + 1)[0])
        elif opcode == _END and outer:
            start, length, targets = outer.pop()
            long = length >= INTERPRETER_INSTRUCTIONS_MIN and targets >= INTERPRETER_TARGETS_MIN
            if start and long:
                found.add(start)
    return found


def _charge(cost: int, gas: bytes, check: bool) -> bytes:
    # global.get gas; i64.const cost; i64.sub; global.set gas
    code = b"\x23" + gas + b"\x42" + wasm.signed(cost) + b"\x7d\x24" + gas
    if check:
        # global.get gas; i64.const 0; i64.lt_s; if; unreachable; end
        code += b"\x23" + gas + b"\x42\x00\x53\x04\x40\x00\x0b"
    return code


def _after(code: bytes, at: int) -> int:
    """The offset after the instruction at an offset."""
    opcode = code[at]
    at += 1
    if opcode in _NO_IMMEDIATES:
        return at
    if opcode in _IMMEDIATES:
        for _ in range(_IMMEDIATES[opcode]):
            at = wasm.skip_leb(code, at)
        return at
    if opcode == _F32_CONST:
        return at + 4
    if opcode == _F64_CONST:
        return at + 8
    if opcode == _BR_TABLE:
        count, at = wasm.read_unsigned(code, at)
        for _ in range(count + 1):
            at = wasm.skip_leb(code, at)
        return at
    if opcode == _SELECT_TYPED:
        count, at = wasm.read_unsigned(code, at)
        return at + count
    if opcode == _PREFIX:
        extended, at = wasm.read_unsigned(code, at)
        if extended <= _SATURATING_TRUNCATIONS_MAX:
            return at
        raise wasm.FormatError(f"instruction 0xfc {extended} is not allowed in the guest")
    raise wasm.FormatError(f"instruction {opcode:#x} is not allowed in the guest")
