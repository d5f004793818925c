"""Which loops may follow pointers through memory, so that each pass may have to wait for it.

A loop does when it reads or writes at an address that depends on something it read, or calls a
function. All others go through memory by addresses that they compute, in order or in strides, which
processors read ahead. What depends on what is followed through the operand stack and the locals; a
value that went through memory was read. Exempt are the loops that interpret bytecode, known by
their size and their table of targets: what a pass of theirs does is long, or in a loop of its own.
"""

from __future__ import annotations

import instructions as op
import wasm

INTERPRETER_INSTRUCTIONS_MIN = 3_000
INTERPRETER_TARGETS_MIN = 40
_EMPTY = 0x40
_DEAD_AFTER = frozenset({op.UNREACHABLE, op.BR, op.BR_TABLE, op.RETURN})
_PUSHES = frozenset({op.MEMORY_SIZE, op.I32_CONST, op.I64_CONST, op.F32_CONST, op.F64_CONST})
_POPS = frozenset({op.DROP, op.BR_IF, op.BR_TABLE})
_ANY_GLOBAL = -1
_UNARY = frozenset(
    {op.PREFIX, 0x45, 0x50, *range(0x67, 0x6A), *range(0x79, 0x7C), *range(0x8B, 0x92)}
    | {*range(0x99, 0xA0), *range(0xA7, 0xC5)}
)

Instruction = tuple[int, int, int]
"""Opcode, first immediate (of a table its number of targets), offset behind it."""


def following(function: bytes, at: int) -> set[int]:
    """Where the bodies begin of the loops in a function that may follow pointers.

    Args:
        function: Its body.
        at: Where its instructions begin.
    """
    code: list[Instruction] = []
    while at < len(function):
        opcode, immediate = function[at], 0
        if opcode not in {op.F32_CONST, op.F64_CONST} and at + 1 < len(function):
            immediate = wasm.read_unsigned(function, at + 1)[0]
        at = op.after(function, at)
        code.append((opcode, immediate, at))
    found = set()
    outer: list[int] = []
    for index, (opcode, _, _) in enumerate(code):
        if opcode in {op.BLOCK, op.LOOP, op.IF}:
            outer.append(index)
        elif opcode == op.END and outer:
            begin = outer.pop()
            body = code[begin + 1 : index]
            if code[begin][0] == op.LOOP and not _interprets(body) and _follows(body):
                found.add(code[begin][2])
    return found


def _interprets(body: list[Instruction]) -> bool:
    if len(body) < INTERPRETER_INSTRUCTIONS_MIN:
        return False
    depth, inner = 0, []  # loops inside have tables of their own
    for opcode, immediate, _ in body:
        if opcode in {op.BLOCK, op.LOOP, op.IF}:
            depth += 1
            if opcode == op.LOOP:
                inner.append(depth)
        elif opcode == op.END:
            if inner and inner[-1] == depth:
                inner.pop()
            depth -= 1
        elif opcode == op.BR_TABLE and not inner and immediate >= INTERPRETER_TARGETS_MIN:
            return True
    return False


def _follows(body: list[Instruction]) -> bool:
    if any(opcode in {op.CALL, op.CALL_INDIRECT, op.MEMORY_GROW} for opcode, _, _ in body):
        return True
    loaded: set[int] = set()  # locals whose value depends on something that the loop read
    while True:
        known = len(loaded)
        if _Pass(loaded).follows(body):
            return True
        if len(loaded) == known:
            return False


class _Pass:
    """One walk over a loop's body; the stack says of each operand whether it was read."""

    def __init__(self, loaded: set[int]) -> None:
        self._loaded = loaded
        self._stack: list[bool] = []
        self._blocks: list[tuple[int, bool]] = [(0, False)]  # height, has a result

    def follows(self, body: list[Instruction]) -> bool:
        """Tell whether an address depends on what was read, and add to the locals that do."""
        return any(self._step(opcode, immediate) for opcode, immediate, _ in body)

    def _pop(self) -> bool:
        # Behind a jump there is nothing on the stack, and whatever is wanted.
        return self._stack.pop() if len(self._stack) > self._blocks[-1][0] else False

    def _step(self, opcode: int, immediate: int) -> bool:
        stack = self._stack
        if opcode in op.LOADS:
            follows = self._pop()
            stack.append(True)
            return follows
        if opcode in op.STORES:
            self._pop()
            return self._pop()
        if opcode in {op.GLOBAL_GET, op.GLOBAL_SET}:
            immediate = _ANY_GLOBAL
        if opcode in {op.LOCAL_GET, op.GLOBAL_GET}:
            stack.append(immediate in self._loaded)
        elif opcode in {op.LOCAL_SET, op.LOCAL_TEE, op.GLOBAL_SET}:
            read = self._pop()
            if read:
                self._loaded.add(immediate)
            if opcode == op.LOCAL_TEE:
                stack.append(read)
        elif opcode in {op.BLOCK, op.LOOP, op.IF, op.ELSE, op.END}:
            self._nest(opcode, immediate)
        elif opcode in _PUSHES:
            stack.append(False)
        elif opcode in _POPS:
            self._pop()
        elif opcode in {op.SELECT, op.SELECT_TYPED}:
            stack.append(any([self._pop(), self._pop(), self._pop()]))
        elif opcode in _UNARY:
            stack.append(self._pop())
        elif opcode >= 0x45:
            stack.append(any([self._pop(), self._pop()]))
        if opcode in _DEAD_AFTER:
            del stack[self._blocks[-1][0] :]
        return False

    def _nest(self, opcode: int, immediate: int) -> None:
        if opcode == op.ELSE:
            del self._stack[self._blocks[-1][0] :]
        elif opcode == op.END:
            height, has_result = self._blocks.pop()
            del self._stack[height:]
            if has_result:  # from several places; it may have been read in one of them
                self._stack.append(True)
        else:
            if opcode == op.IF:
                self._pop()
            self._blocks.append((len(self._stack), immediate != _EMPTY))
