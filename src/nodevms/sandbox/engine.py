"""The compiled guest, shared by all sandboxes of a process.

The guest's bytes come with this package and are named by their SHA-256 in every log. Compiling
them takes a second or two, so the machine code is kept in the user's cache folder. That cache is
native code: it is read only from a folder that belongs to this user alone, and only with the hash
that was written beside it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Final

import platformdirs
import wasmtime
from wasmtime import _ffi as ffi

WASM_STACK_BYTES: Final = 64 * 1024 * 1024
ENGINE_STACK_BYTES: Final = 256 * 1024 * 1024
"""The stack that a thread needs to enter the sandbox."""


def default_cache_folder() -> Path:
    """Return the user's cache folder for compiled guests."""
    return Path(platformdirs.user_cache_dir("nodevms", appauthor=False)) / "engine"


class Engine:
    """The guest module, compiled for this machine.

    Args:
        cache_folder: Where machine code is kept; None to compile each time.
    """

    def __init__(self, cache_folder: Path | None = None, *, cache: bool = True) -> None:
        code = resources.files("nodevms.sandbox").joinpath("guest.wasm").read_bytes()
        digest = hashlib.sha256(code).hexdigest()
        self.id: Final = f"sha256:{digest}"
        self.wasmtime: Final = wasmtime.Engine(_config())
        folder = (cache_folder or default_cache_folder()) if cache else None
        self.module: Final = self._load(code, digest, folder)

    def _load(self, code: bytes, digest: str, folder: Path | None) -> wasmtime.Module:
        if folder is None:
            return wasmtime.Module(self.wasmtime, code)
        name = f"{digest[:32]}-{version('wasmtime')}-{platform.machine()}-{_cpu()}"
        compiled = _read_cache(folder, name)
        if compiled is not None:
            try:
                return wasmtime.Module.deserialize(self.wasmtime, compiled)
            except wasmtime.WasmtimeError:
                pass  # made by another build of wasmtime: compile again
        module = wasmtime.Module(self.wasmtime, code)
        _write_cache(folder, name, bytes(module.serialize()))
        return module


def _config() -> wasmtime.Config:
    config = wasmtime.Config()
    config.cranelift_nan_canonicalization = True
    config.wasm_threads = False
    config.wasm_relaxed_simd = False
    # The stack of a fiber that is never used, but the engine insists that it is the larger one.
    ffi.wasmtime_config_async_stack_size_set(config.ptr(), 2 * WASM_STACK_BYTES)
    config.max_wasm_stack = WASM_STACK_BYTES
    return config


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        text = platform.processor()
    lines = text.splitlines()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), text)
    return hashlib.sha256(flags.encode()).hexdigest()[:12]


def _read_cache(folder: Path, name: str) -> bytes | None:
    """Return the machine code if nobody else could have written it and its hash is right."""
    try:
        status = folder.stat()
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            return None
        data = (folder / name).read_bytes()
    except OSError:
        return None
    return data[32:] if hashlib.sha256(data[32:]).digest() == data[:32] else None


def _write_cache(folder: Path, name: str, compiled: bytes) -> None:
    """Keep the machine code; without a place for it, it is compiled again the next time."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            return
        folder.chmod(0o700)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(hashlib.sha256(compiled).digest() + compiled)
        Path(file.name).replace(folder / name)
    except OSError:
        return
