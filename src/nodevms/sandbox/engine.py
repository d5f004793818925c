"""The compiled guest, shared by all sandboxes of a process.

The guest's bytes come with this package and are named by their SHA-256 in every log. Compiling
them takes a second or two, so the machine code is kept (see ``machine_code.py``).
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from importlib import resources
from pathlib import Path
from typing import Final

import platformdirs
import wasmtime
from wasmtime import _ffi as ffi

from nodevms.sandbox.doors import Doors
from nodevms.sandbox.machine_code import load_module
from nodevms.sandbox.thread import ENGINE_STACK_BYTES

WASM_STACK_BYTES: Final = 64 * 1024 * 1024
TICKS_PER_SECOND: Final = 4
TICK_SECONDS: Final = 1 / TICKS_PER_SECOND

__all__ = ["ENGINE_STACK_BYTES", "Engine", "default_cache_folder"]


def default_cache_folder() -> Path:
    """Return the user's cache folder for compiled guests."""
    return Path(platformdirs.user_cache_dir("nodevms", appauthor=False)) / "engine"


class Engine:
    """The guest module, compiled for this machine. Threads may share it.

    Args:
        cache_folder: Where machine code is kept; None for the user's cache folder.
        cache: False to compile each time and keep nothing.

    Attributes:
        id: ``sha256:`` and the hash of the guest module, as start entries name it.
        wasmtime: The engine of all stores.
        doors: The guest's imports.
    """

    def __init__(self, cache_folder: Path | None = None, *, cache: bool = True) -> None:
        code = resources.files("nodevms.sandbox").joinpath("guest.wasm").read_bytes()
        digest = hashlib.sha256(code).hexdigest()
        self.id: Final = f"sha256:{digest}"
        self.wasmtime: Final = wasmtime.Engine(_config())
        folder = (cache_folder or default_cache_folder()) if cache else None
        self.doors: Final = Doors(self.wasmtime, load_module(self.wasmtime, code, digest, folder))
        _start_clock(self)

    def tick(self) -> None:
        """Move the clock of the wall-time guard on by one tick. Any thread may call it."""
        self.wasmtime.increment_epoch()


def _config() -> wasmtime.Config:
    config = wasmtime.Config()
    config.cranelift_nan_canonicalization = True
    config.wasm_threads = False
    config.wasm_relaxed_simd = False
    config.epoch_interruption = True
    # The stack of a fiber that is never used, but the engine insists that it is the larger one.
    ffi.wasmtime_config_async_stack_size_set(config.ptr(), 2 * WASM_STACK_BYTES)
    config.max_wasm_stack = WASM_STACK_BYTES
    return config


def _start_clock(engine: Engine) -> None:
    """Tick four times a second for as long as the engine lives."""
    gone = threading.Event()
    reference = weakref.ref(engine, lambda _: gone.set())

    def run() -> None:
        while not gone.wait(TICK_SECONDS):
            alive = reference()
            if alive is not None:
                alive.tick()
            del alive

    threading.Thread(target=run, name="nodevms-engine-clock", daemon=True).start()
