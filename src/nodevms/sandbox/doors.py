"""The guest's imports: the only two ways out of the sandbox.

They are linked once for all instances, and lead to the instance that this thread has entered.
"""

from __future__ import annotations

import threading
from typing import Any, Final, Protocol

import wasmtime

from nodevms.sandbox import capi
from nodevms.sandbox.thread import require_stack


class Entered(Protocol):
    """An instance that is running on this thread."""

    def answer(self, operation: int, pointer: int, length: int) -> int | None:
        """Answer a request and return the answer's length, or None to stop the guest."""

    def take(self, pointer: int) -> None:
        """Copy the answer into the guest's memory."""


class Doors:
    """The imports, linked to a module.

    Raises:
        ValueError: The module wants something else than these two.
    """

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module) -> None:
        self._thread = threading.local()
        # wasmtime has only the addresses of these: they must live as long as the instances.
        self._callbacks: Final[dict[str, Any]] = {
            "call": capi.CALLBACK(self._on_call),
            "take": capi.CALLBACK(self._on_take),
        }
        linker = wasmtime.Linker(engine)
        for wanted in module.imports:
            if wanted.module != "host" or wanted.name not in self._callbacks:
                raise ValueError(f"the guest wants {wanted.module}.{wanted.name}")
            capi.define(linker, wanted, self._callbacks[wanted.name])
        self._prepared = linker.instantiate_pre(module)

    def instantiate(self, store: wasmtime.Store) -> wasmtime.Instance:
        """Return a new instance of the module."""
        return self._prepared.instantiate(store)

    def lead_to(self, entered: Entered | None) -> Entered | None:
        """Say which instance this thread enters next, and return where the doors led before.

        Raises:
            LocalProtocolError: This thread's stack is too small for the engine.
        """
        if not hasattr(self._thread, "entered"):
            require_stack()
            self._thread.entered = None
        before: Entered | None = self._thread.entered
        self._thread.entered = entered
        return before

    def _on_call(self, _environment: int, _caller: int, values: Any) -> int | None:
        at = capi.VALUE_BYTES // 4
        length = self._thread.entered.answer(
            values[0], values[at] & 0xFFFFFFFF, values[2 * at] & 0xFFFFFFFF
        )
        if length is None:
            return capi.new_trap()
        values[0] = length
        return None

    def _on_take(self, _environment: int, _caller: int, values: Any) -> int | None:
        self._thread.entered.take(values[0] & 0xFFFFFFFF)
        return None
