"""The cache of compiled guests.

Whoever can write machine code into it runs code in our process. So it is read only from a folder
that belongs to this user and that nobody else can enter, from a plain file of this user, and only
with the hash that was written with it, which a torn or damaged file has not got. wasmtime itself
refuses code of another version or configuration. Whatever is wrong, the guest is compiled again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import stat
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

import wasmtime

_MODE: Final = 0o700
_READING: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HASH_BYTES: Final = 32
_CODE_BYTES_MAX: Final = 64 * 1024 * 1024


def load_module(
    engine: wasmtime.Engine, code: bytes, digest: str, folder: Path | None
) -> wasmtime.Module:
    """Return the compiled guest, from the cache if that is possible.

    Args:
        engine: Compiles it.
        code: The guest module.
        digest: Its SHA-256 in hex.
        folder: The cache; None for no cache.
    """
    if folder is None:
        return wasmtime.Module(engine, code)
    name = f"{digest[:32]}-{version('wasmtime')}-{platform.machine()}-{_processor()}"
    compiled = _read(folder, name)
    if compiled is not None:
        try:
            return wasmtime.Module.deserialize(engine, compiled)
        except wasmtime.WasmtimeError:
            pass  # of another configuration: it is written anew below
    module = wasmtime.Module(engine, code)
    _write(folder, name, bytes(module.serialize()))
    return module


def _processor() -> str:
    """Return a name for what the processor can do; code for one may not run on another."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        text = platform.processor()
    lines = text.splitlines()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), text)
    return hashlib.sha256(flags.encode()).hexdigest()[:12]


def _is_private(folder: Path) -> bool:
    status = folder.lstat()
    ours = status.st_uid == os.getuid()
    return ours and stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077


def _read(folder: Path, name: str) -> bytes | None:
    """Return the machine code, or None if it is not there or not to be trusted."""
    try:
        if not _is_private(folder):
            return None
        handle = os.open(folder / name, _READING)
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
                return None
            data = file.read(_CODE_BYTES_MAX)
    except OSError:
        return None
    kept, compiled = data[:_HASH_BYTES], data[_HASH_BYTES:]
    return compiled if hashlib.sha256(compiled).digest() == kept else None


def _write(folder: Path, name: str, compiled: bytes) -> None:
    """Keep the machine code; without a place for it, it is compiled again the next time."""
    try:
        folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
        if not _is_private(folder):
            return
        handle, path = tempfile.mkstemp(dir=folder)
    except OSError:
        return
    try:
        with open(handle, "wb") as file:
            file.write(hashlib.sha256(compiled).digest() + compiled)
        Path(path).replace(folder / name)
    except OSError:
        Path(path).unlink(missing_ok=True)
