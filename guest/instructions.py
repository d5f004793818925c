"""The instructions of WebAssembly that the guest may have, and how long each is.

One that is not known here is refused, above all bulk memory (whose work is not in proportion to its
count) and threads.
"""

from __future__ import annotations

import wasm

UNREACHABLE, NOP, BLOCK, LOOP, IF, ELSE, END = 0, 1, 2, 3, 4, 5, 0x0B
BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT = 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11
DROP, SELECT, SELECT_TYPED = 0x1A, 0x1B, 0x1C
LOCAL_GET, LOCAL_SET, LOCAL_TEE, GLOBAL_GET, GLOBAL_SET = 0x20, 0x21, 0x22, 0x23, 0x24
LOADS, STORES = range(0x28, 0x36), range(0x36, 0x3F)
MEMORY_SIZE, MEMORY_GROW, I32_CONST, I64_CONST, F32_CONST, F64_CONST = range(0x3F, 0x45)
PREFIX = 0xFC
_SATURATING_TRUNCATIONS_MAX = 7
# How many LEB128 immediates an instruction has, where it is not none.
_IMMEDIATES = (
    dict.fromkeys([BLOCK, LOOP, IF, BR, BR_IF, CALL], 1)
    | {CALL_INDIRECT: 2}
    | dict.fromkeys(range(0x20, 0x27), 1)
    | dict.fromkeys([*LOADS, *STORES], 2)
    | dict.fromkeys([MEMORY_SIZE, MEMORY_GROW, I32_CONST, I64_CONST], 1)
)
_NO_IMMEDIATES = frozenset(
    {UNREACHABLE, NOP, ELSE, END, RETURN, DROP, SELECT, *range(0x45, 0xC5)},
)


def after(code: bytes, at: int) -> int:
    """The offset after the instruction at an offset."""
    opcode = code[at]
    at += 1
    if opcode in _NO_IMMEDIATES:
        return at
    if opcode in _IMMEDIATES:
        for _ in range(_IMMEDIATES[opcode]):
            at = wasm.skip_leb(code, at)
        return at
    if opcode == F32_CONST:
        return at + 4
    if opcode == F64_CONST:
        return at + 8
    if opcode == BR_TABLE:
        count, at = wasm.read_unsigned(code, at)
        for _ in range(count + 1):
            at = wasm.skip_leb(code, at)
        return at
    if opcode == SELECT_TYPED:
        count, at = wasm.read_unsigned(code, at)
        return at + count
    if opcode == PREFIX:
        extended, at = wasm.read_unsigned(code, at)
        if extended <= _SATURATING_TRUNCATIONS_MAX:
            return at
        raise wasm.FormatError(f"instruction 0xfc {extended} is not allowed in the guest")
    raise wasm.FormatError(f"instruction {opcode:#x} is not allowed in the guest")
