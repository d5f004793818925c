"""One instance of the guest: its memory, its gas, and the one way in.

Calls go through ctypes with arguments that were laid out once, because wasmtime's own call costs
more than a small JavaScript function. The layout of requests and answers is that of
``guest/shim/entry.c``.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi

from nodevms.errors import NodeVMSError
from nodevms.sandbox.engine import Engine
from nodevms.sandbox.host import CONSOLE_GAS, SEED_GAS, Host, Operation, OutOfGas
from nodevms.sandbox.limits import Limits

PAGE_BYTES: Final = 65536
MEMORY_MARGIN_BYTES: Final = 32 * 1024 * 1024
TEXT_BYTES_MAX: Final = 64 * 1024 * 1024
_OUTPUT: Final = struct.Struct("<8I")
_EBADF: Final = 8

ENDED_WITH_VALUE: Final = 0
ENDED_WITH_NOTHING: Final = 1
ENDED_THROWN: Final = 2
ENDED_NEVER_SETTLED: Final = 3
ENDED_NO_METHOD: Final = 4
ENDED_NO_MEMORY: Final = 5
TRAPPED_GAS: Final = 100
TRAPPED: Final = 101


class EngineFaultError(NodeVMSError):
    """The engine did something that it never should; the backend must be opened again."""

    code = "engine-fault"


@dataclass(frozen=True, slots=True)
class Ended:
    """How one entry ended, as the guest reports it."""

    how: int
    gas: int
    text: bytes = b""
    stack: bytes = b""
    exports: bytes = b""


@dataclass(frozen=True, slots=True)
class Image:
    """A copy of everything that makes up a guest's state."""

    memory: bytes
    stack_pointer: int


class Instance:
    """A guest in memory. It belongs to one thread at a time."""

    def __init__(self, engine: Engine, limits: Limits, image: Image | None = None) -> None:
        self._limits = limits
        self._store = store = wasmtime.Store(engine.wasmtime)
        store.set_limits(memory_size=limits.memory_bytes + MEMORY_MARGIN_BYTES)
        linker = wasmtime.Linker(engine.wasmtime)
        answers: dict[str, Callable[..., Any]] = {"call": self._on_call, "take": self._on_take}
        for wanted in engine.module.imports:
            if not isinstance(wanted.type, wasmtime.FuncType):
                raise EngineFaultError("the guest imports something that is not a function")
            answer = answers.get(wanted.name or "", _bad_file)
            linker.define_func(wanted.module, wanted.name or "", wanted.type, answer)
        exports = linker.instantiate(store, engine.module).exports(store)
        self._context: Any = store._context()
        self._memory = ctypes.byref(_raw(exports["memory"], "_memory"))
        self._gas = ctypes.byref(_raw(exports["gas"], "_global"))
        self._stack = ctypes.byref(_raw(exports["__stack_pointer"], "_global"))
        self._functions = {
            name: _fast_call(self._context, exports[name])
            for name in ("reserve", "describe_output", "start", "call")
        }
        self._exports = exports
        self._host: Host | None = None
        self._answer = b""
        self._fault: BaseException | None = None
        self.recorded: list[tuple[bytes, int]] = []
        if image is not None:
            self._restore(image)
        self._set_gas(1 << 60)
        self._output = self._enter_plain("describe_output")

    def enter(self, function: str, request: bytes, host: Host) -> Ended:
        """Run one entry to its end.

        Args:
            function: ``start`` or ``call``.
            request: As ``entry.c`` lays it out.
            host: Answers what the guest asks.

        Raises:
            Exception: What the host raised; the instance cannot be used after that.
        """
        self._place(request)
        self._host, self._fault, self.recorded = host, None, []
        self._set_gas(self._limits.gas)
        how = self._functions[function](len(request))
        self._host = None
        left = self._get_gas()
        if self._fault is not None:
            raise self._fault
        if how is None:
            return Ended(TRAPPED_GAS, self._limits.gas) if left < 0 else Ended(TRAPPED, 0)
        # What ran after the last check was paid for or it would have trapped at the next.
        gas = min(self._limits.gas - left, self._limits.gas)
        values = _OUTPUT.unpack(self._read(self._output, _OUTPUT.size))
        self._input, self._input_capacity = values[6], values[7]
        return Ended(
            how,
            gas,
            self._read(values[0], values[1]),
            self._read(values[2], min(values[3], 65536)),
            self._read(values[4], values[5]),
        )

    def image(self) -> Image:
        """Copy the guest's state."""
        size = ffi.wasmtime_memory_data_size(self._context, self._memory)
        return Image(ctypes.string_at(self._base(), size), self._get_stack())

    def charge(self, gas: int) -> None:
        """Take gas for the host's work; see :class:`nodevms.sandbox.host.Meter`."""
        left = self._get_gas() - gas
        if left < 0:
            raise OutOfGas
        self._set_gas(left)

    def _restore(self, image: Image) -> None:
        have = ffi.wasmtime_memory_data_size(self._context, self._memory)
        missing = (len(image.memory) - have) // PAGE_BYTES
        if missing > 0:
            previous = ctypes.c_uint64(0)
            error = ffi.wasmtime_memory_grow(
                self._context, self._memory, missing, ctypes.byref(previous)
            )
            if error:
                raise EngineFaultError("no memory for the guest's snapshot")
        ctypes.memmove(self._base(), image.memory, len(image.memory))
        value: Any = ffi.wasmtime_val_t()
        value.kind = 0
        value.of.i32 = image.stack_pointer
        ffi.wasmtime_global_set(self._context, self._stack, ctypes.byref(value))

    def _place(self, request: bytes) -> None:
        values = _OUTPUT.unpack(self._read(self._output, _OUTPUT.size))
        at, capacity = values[6], values[7]
        if len(request) > capacity:
            self._set_gas(1 << 60)
            at = self._enter_plain("reserve", len(request))
            if at == 0:
                raise EngineFaultError("the guest has no memory for the request")
        ctypes.memmove(self._base() + at, request, len(request))

    def _enter_plain(self, function: str, *arguments: int) -> int:
        result = self._functions[function](*arguments)
        if result is None:
            raise EngineFaultError(f"the guest trapped in {function}")
        return result & 0xFFFFFFFF

    def _on_call(self, operation: int, pointer: int, length: int) -> int:
        """Answer the guest; whatever goes wrong here must not pass through WebAssembly."""
        self._answer = b""
        try:
            request = self._read(pointer & 0xFFFFFFFF, length & 0xFFFFFFFF)
            if operation == Operation.SEED:
                self.charge(SEED_GAS)
            elif operation == Operation.CONSOLE:
                self.charge(CONSOLE_GAS + len(request))
            left = self._get_gas()
            if self._host is not None:
                self._answer = self._host.call(operation, request, self)
            self.recorded.append((self._answer, left - self._get_gas()))
        except OutOfGas:
            self._set_gas(-1)  # the guest traps at its next check
        except BaseException as error:
            self._fault = error
            self._set_gas(-1)
        return len(self._answer)

    def _on_take(self, pointer: int) -> None:
        answer, self._answer = self._answer, b""
        at = pointer & 0xFFFFFFFF
        if at + len(answer) <= ffi.wasmtime_memory_data_size(self._context, self._memory):
            ctypes.memmove(self._base() + at, answer, len(answer))

    def _base(self) -> int:
        pointer = ffi.wasmtime_memory_data(self._context, self._memory)
        return ctypes.cast(pointer, ctypes.c_void_p).value or 0

    def _read(self, pointer: int, length: int) -> bytes:
        if not length:
            return b""
        size = ffi.wasmtime_memory_data_size(self._context, self._memory)
        if length > TEXT_BYTES_MAX or pointer + length > size:
            raise EngineFaultError("the guest named memory that it has not got")
        return ctypes.string_at(self._base() + pointer, length)

    def _get_gas(self) -> int:
        value: Any = ffi.wasmtime_val_t()
        ffi.wasmtime_global_get(self._context, self._gas, ctypes.byref(value))
        return int(value.of.i64)

    def _set_gas(self, gas: int) -> None:
        value: Any = ffi.wasmtime_val_t()
        value.kind = 1
        value.of.i64 = gas
        ffi.wasmtime_global_set(self._context, self._gas, ctypes.byref(value))

    def _get_stack(self) -> int:
        value: Any = ffi.wasmtime_val_t()
        ffi.wasmtime_global_get(self._context, self._stack, ctypes.byref(value))
        return int(value.of.i32)


def _bad_file(*_: int) -> int:
    return _EBADF


def _raw(extern: object, name: str) -> Any:
    return getattr(extern, name)


def _fast_call(context: Any, function: object) -> Callable[..., int | None]:
    """Return a call with preallocated arguments; None stands for a trap."""
    raw = _raw(function, "_func")
    arguments: Any = (ffi.wasmtime_val_t * 1)()
    results = (ffi.wasmtime_val_t * 1)()
    trap = ctypes.POINTER(ffi.wasm_trap_t)()
    trap_pointer, function_pointer = ctypes.byref(trap), ctypes.byref(raw)

    def call(*values: int) -> int | None:
        for at, value in enumerate(values):
            arguments[at].kind = 0
            arguments[at].of.i32 = value
        error = ffi.wasmtime_func_call(
            context, function_pointer, arguments, len(values), results, 1, trap_pointer
        )
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)
        if trap:
            ffi.wasm_trap_delete(trap)
            ctypes.memset(ctypes.addressof(trap), 0, ctypes.sizeof(trap))
            return None
        return int(results[0].of.i32)

    return call
