"""Runs the boot script once and writes the memory that it leaves into the module.

An instance of the result starts where the boot script ended, so a new VM costs a copy-on-write
mapping instead of a millisecond of JavaScript. The script is compiled in one throw-away instance
and run from its bytecode in another, so that the image holds neither source nor parser garbage.
"""

from __future__ import annotations

import ctypes
import struct

import wasm
import wasmtime

_BUILD_ONLY = frozenset({"_initialize", "bake_compile", "bake_add", "bake_run"})
_GAS = 1 << 60
_CHUNK = 4096


def bake(module: bytes, boot_script: bytes, modules: dict[str, bytes]) -> bytes:
    """Returns the module with the boot script's memory as its initial memory.

    Args:
        module: The compiled guest.
        boot_script: An expression that is the boot function.
        modules: For each file of guest/modules an expression that is its function. They lie in the
            image as bytecode and are run when a script asks for one.

    Raises:
        RuntimeError: The boot script failed; the message is the guest's.
    """
    config = wasmtime.Config()
    config.cranelift_nan_canonicalization = True
    engine = wasmtime.Engine(config)
    compiled = wasmtime.Module(engine, module)

    def bytecode(name: str, source: bytes) -> bytes:
        return _Guest(engine, compiled).enter("bake_compile", name.encode() + b"\0" + source)

    guest = _Guest(engine, compiled)
    for name, source in sorted(modules.items()):
        code = bytecode(f"nodevms:{name}", source)
        print(f"{name}: {len(source)} bytes of source, {len(code)} of bytecode")
        guest.enter("bake_add", name.encode() + b"\0" + code)
    guest.enter("bake_run", bytecode("nodevms", boot_script))
    return _with_memory(module, guest.image())


class _Guest:
    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module) -> None:
        self._store = wasmtime.Store(engine)
        linker = wasmtime.Linker(engine)
        for wanted in module.imports:
            if wanted.module != "host" or not isinstance(wanted.type, wasmtime.FuncType):
                raise wasm.FormatError(f"the guest imports {wanted.module}.{wanted.name}")
            linker.define_func(wanted.module, wanted.name or "", wanted.type, _refuse)
        self._exports = linker.instantiate(self._store, module).exports(self._store)
        self._exports["gas"].set_value(self._store, wasmtime.Val.i64(_GAS))
        self._stack_top = self._exports["__stack_pointer"].value(self._store)
        self._call("_initialize")

    def _call(self, name: str, *arguments: int) -> int:
        return self._exports[name](self._store, *arguments)

    def enter(self, name: str, request: bytes) -> bytes:
        memory = self._exports["memory"]
        memory.write(self._store, request, self._call("reserve", len(request)))
        status = self._call(name, len(request))
        output = self._call("describe_output")
        text, length = struct.unpack("<II", memory.read(self._store, output, output + 8))
        result = bytes(memory.read(self._store, text, text + length))
        if status != 0:
            raise RuntimeError(f"{name} failed: {result.decode(errors='replace')}")
        return result

    def image(self) -> bytes:
        """The memory, with what lies below the stack pointer (dead frames) cleared."""
        memory = self._exports["memory"]
        stack_pointer = self._exports["__stack_pointer"].value(self._store)
        if stack_pointer != self._stack_top:
            raise RuntimeError("the stack is not empty after the boot script")
        size = memory.data_len(self._store)
        data = ctypes.string_at(ctypes.addressof(memory.data_ptr(self._store).contents), size)
        return bytes(stack_pointer) + data[stack_pointer:]


def _refuse(*_: int) -> int:
    raise RuntimeError("the boot script called the host")


def _with_memory(module: bytes, image: bytes) -> bytes:
    sections = []
    for section in wasm.read_sections(module):
        body = section.body
        if section.number == wasm.MEMORY:
            body = wasm.vector([b"\0" + wasm.unsigned(len(image) // wasm.PAGE)])
        elif section.number == wasm.DATA:
            body = wasm.vector(_segments(image))
        elif section.number == wasm.EXPORT:
            kept = [item for name, item in wasm.read_exports(body) if name not in _BUILD_ONLY]
            body = wasm.vector(kept)
        elif section.number == wasm.DATA_COUNT:
            continue
        sections.append(wasm.Section(section.number, body))
    return wasm.write_sections(sections)


def _segments(image: bytes) -> list[bytes]:
    """An active data segment for each run of chunks that are not all zero."""
    zero = bytes(_CHUNK)
    segments = []
    at = 0
    while at < len(image):
        end = at
        while end < len(image) and image[end : end + _CHUNK] != zero:
            end += _CHUNK
        if end > at:
            offset = bytes([wasm.I32_CONST]) + wasm.signed(at) + bytes([wasm.END])
            segments.append(b"\0" + offset + wasm.unsigned(end - at) + image[at:end])
        at = end + _CHUNK
    return segments
