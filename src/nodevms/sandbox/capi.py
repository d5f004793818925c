"""wasmtime's C interface without the cost of its Python wrapper.

A call through the wrapper costs more than a small JavaScript function does. Here functions are
taken from the library once more, with plain pointers as arguments, and values lie in buffers that
are laid out once. Only what the sandbox does for every call is here; the rest uses the wrapper.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi

_POINTER: Final = ctypes.c_void_p
_UNREACHABLE: Final = int(wasmtime.TrapCode.UNREACHABLE.value)
_VALUE: Final[Any] = ffi.wasmtime_val_t
VALUE_BYTES: Final = ctypes.sizeof(ffi.wasmtime_val_raw_t)

CALLBACK: Final = ctypes.CFUNCTYPE(_POINTER, _POINTER, _POINTER, ctypes.POINTER(ctypes.c_int32))
"""A function of the host: (environment, caller, arguments and results) -> trap or None."""


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = ffi.dll[name]  # indexing gives an object of our own, with types of our own
    function.restype = result
    function.argtypes = arguments
    return function


func_call: Final = _function(
    "wasmtime_func_call_unchecked",
    *(_POINTER, _POINTER, _POINTER, _POINTER, ctypes.c_size_t, _POINTER),
)
global_get: Final = _function("wasmtime_global_get", None, _POINTER, _POINTER, _POINTER)
global_set: Final = _function("wasmtime_global_set", _POINTER, _POINTER, _POINTER, _POINTER)
memory_data: Final = _function("wasmtime_memory_data", _POINTER, _POINTER, _POINTER)
memory_size: Final = _function("wasmtime_memory_data_size", ctypes.c_size_t, _POINTER, _POINTER)
_memory_grow: Final = _function(
    "wasmtime_memory_grow", _POINTER, _POINTER, _POINTER, ctypes.c_uint64, _POINTER
)
set_deadline: Final = _function(
    "wasmtime_context_set_epoch_deadline", None, _POINTER, ctypes.c_uint64
)
_trap_new_code: Final = _function("wasmtime_trap_new_code", _POINTER, ctypes.c_uint8)
_trap_code: Final = _function("wasmtime_trap_code", ctypes.c_bool, _POINTER, _POINTER)
_trap_delete: Final = _function("wasm_trap_delete", None, _POINTER)
_export_get: Final = _function(
    "wasmtime_instance_export_get",
    *(ctypes.c_bool, _POINTER, _POINTER, ctypes.c_char_p, ctypes.c_size_t, _POINTER),
)
_define_func: Final = _function(
    "wasmtime_linker_define_func_unchecked",
    *(_POINTER, _POINTER, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t),
    *(_POINTER, CALLBACK, _POINTER, _POINTER),
)


def new_trap() -> int:
    """Return a trap for a callback to return; wasmtime frees it."""
    return int(_trap_new_code(_UNREACHABLE))


def define(linker: wasmtime.Linker, wanted: wasmtime.ImportType, callback: Any) -> None:
    """Answer an import with a callback, which must live as long as the linker's instances.

    Raises:
        WasmtimeError: It was defined before.
    """
    module, name = wanted.module.encode(), (wanted.name or "").encode()
    kind: Any = wanted.type
    error = _define_func(
        linker.ptr(), module, len(module), name, len(name), kind.ptr(), callback, None, None
    )
    if error:
        raise wasmtime.WasmtimeError._from_ptr(
            ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t))
        )


def grow_memory(context: int | None, memory: int, pages: int) -> None:
    """Make a memory larger.

    Raises:
        MemoryError: The machine or the store's limit does not give it.
    """
    before = ctypes.c_uint64(0)
    if _memory_grow(context, memory, pages, ctypes.addressof(before)):
        raise MemoryError("no memory for the guest")


class Exports:
    """The exports of one instance as the functions above take them.

    It keeps the store, and all that is made from it keeps it: an address of a store that is gone
    would be a crash of the process.
    """

    def __init__(self, store: wasmtime.Store, instance: wasmtime.Instance) -> None:
        self._store = store
        self.context: Final = ctypes.cast(store._context(), _POINTER).value
        self._instance = instance._instance
        self._externs: list[Any] = []

    def address(self, name: str) -> int:
        """Return the address of an export, good as long as this object.

        Raises:
            KeyError: There is no such export.
        """
        extern = ffi.wasmtime_extern_t()
        encoded = name.encode()
        instance = ctypes.byref(self._instance)
        if not _export_get(self.context, instance, encoded, len(encoded), ctypes.byref(extern)):
            raise KeyError(name)
        self._externs.append(extern)
        return ctypes.addressof(extern.of)


class Global:
    """A mutable global with its value's buffer."""

    def __init__(self, exports: Exports, name: str, *, wide: bool) -> None:
        self._exports = exports
        self._context = exports.context
        self._address = exports.address(name)
        self._value = _VALUE()
        number: Any = ctypes.c_int64 if wide else ctypes.c_int32
        self._number = number.from_buffer(self._value, _VALUE.of.offset)
        self._buffer = ctypes.addressof(self._value)
        self._value.kind = int(wide)

    def get(self) -> int:
        """Return the value."""
        global_get(self._context, self._address, self._buffer)
        return int(self._number.value)

    def set(self, value: int) -> None:
        """Change the value."""
        self._number.value = value
        global_set(self._context, self._address, self._buffer)


def bind(exports: Exports, name: str) -> Callable[[int], tuple[int, int | None]]:
    """Return an exported function of at most one i32, as (argument) -> (result, trap).

    The trap is None, or its code as ``wasmtime.TrapCode`` numbers them; -1 for one without.
    """
    context, function = exports.context, exports.address(name)
    values = (ctypes.c_int32 * (VALUE_BYTES // 4))()
    trap = ctypes.c_void_p(None)
    values_at, trap_at = ctypes.addressof(values), ctypes.addressof(trap)

    def call(argument: int, _kept: Exports = exports) -> tuple[int, int | None]:
        values[0] = argument
        error = func_call(context, function, values_at, 1, trap_at)
        if error:
            raise wasmtime.WasmtimeError._from_ptr(
                ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t))
            )
        if trap.value is None:
            return values[0], None
        code = ctypes.c_uint8(0)
        known = _trap_code(trap.value, ctypes.addressof(code))
        _trap_delete(trap.value)
        trap.value = None  # it must not be freed a second time
        return 0, code.value if known else -1

    return call
