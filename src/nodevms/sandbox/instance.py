"""One instance of the guest: its memory, its gas, and the one way in.

The layout of requests and of what comes back is that of ``guest/shim/layout.c``. Lengths and
pointers that the guest gives are checked before they are used: the guest is trusted with its own
memory and with nothing else.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import wasmtime

from nodevms.errors import NodeVMSError
from nodevms.sandbox import capi
from nodevms.sandbox.crypto import answer_crypto
from nodevms.sandbox.engine import TICKS_PER_SECOND, Engine
from nodevms.sandbox.host import Host, Operation, OutOfGas, price
from nodevms.sandbox.image import PAGE_BYTES, ZEROS, Image, SparseImage, differences
from nodevms.sandbox.limits import Limits

MEMORY_MARGIN_BYTES: Final = 32 * 1024 * 1024
"""What the guest may have beyond the JavaScript heap: stack, request, gaps between allocations."""
STACK_TEXT_BYTES_MAX: Final = 65536
ANSWER_BYTES: Final = 128
"""What keeping one answer of the host costs beside its own bytes."""
RECORDED_BYTES_MAX: Final = 8 * 1024 * 1024
"""An entry that was answered more is never run again, and its answers need not be kept."""
WALL_SECONDS_MIN: Final = 60
"""Far more than the oracles of a call may take, which count here as well."""
WALL_GAS_PER_SECOND: Final = 50_000_000
"""An engine a hundred times slower than ours still ends by gas and not by the clock."""

ENDED_WITH_VALUE: Final = 0
ENDED_WITH_NOTHING: Final = 1
ENDED_THROWN: Final = 2
ENDED_NEVER_SETTLED: Final = 3
ENDED_NO_METHOD: Final = 4
TRAPPED_GAS: Final = 100
TRAPPED: Final = 101
ENDED_NO_ROOM: Final = 102
INTERRUPTED: Final = 103
"""The guest does not say these four itself: two traps, no memory for the request, an interrupt."""

_OUTPUT: Final = struct.Struct("<8I")
_UNMETERED: Final = 1 << 60
_INTERRUPT: Final = int(wasmtime.TrapCode.INTERRUPT.value)
_NATIVE_STACK: Final = int(wasmtime.TrapCode.STACK_OVERFLOW.value)


class EngineFaultError(NodeVMSError):
    """The engine did something that it never should; the backend must be opened again."""

    code = "engine-fault"


class HostTimeoutError(EngineFaultError):
    """An entry ran far longer than its gas can take. It is no outcome: a faster machine differs."""

    code = "engine-timeout"


@dataclass(frozen=True, slots=True)
class Ended:
    """How one entry ended, as the guest reports it."""

    how: int
    gas: int
    text: bytes = b""
    stack: bytes = b""
    exports: bytes = b""


class Instance:
    """A guest in memory, new or from an image. It belongs to one thread at a time.

    Attributes:
        recorded: The host's answers of the last entry, each with the gas that it took; None when
            they were too many to keep.
        wall_ticks: How many ticks of the engine's clock an entry may last.
    """

    def __init__(
        self,
        engine: Engine,
        limits: Limits,
        image: Image | SparseImage | None = None,
        *,
        wall_ticks: int | None = None,
    ) -> None:
        self._doors = engine.doors
        self._gas_limit = limits.gas
        self.wall_ticks: Final = wall_ticks or _wall_ticks(limits)
        self._memory_max = limits.memory_bytes + MEMORY_MARGIN_BYTES
        self._store = store = wasmtime.Store(engine.wasmtime)
        store.set_limits(memory_size=self._memory_max)
        self._exports = exports = capi.Exports(store, self._doors.instantiate(store))
        self._context = exports.context
        self._memory = exports.address("memory")
        self._gas = capi.Global(exports, "gas", wide=True)
        self._stack_pointer = capi.Global(exports, "__stack_pointer", wide=False)
        self._reserve = capi.bind(exports, "reserve")
        self._enter: dict[str, Callable[[int], tuple[int, int | None]]] = {}
        self._host: Host | None = None
        self._answer = b""
        self._fault: BaseException | None = None
        self.recorded: list[tuple[bytes, int]] | None = []
        self._recorded_bytes = 0
        if image is not None:
            self._restore(image)
        capi.set_deadline(self._context, self.wall_ticks)
        self._gas.set(_UNMETERED)
        self._output, _ = capi.bind(exports, "describe_output")(0)

    def enter(self, function: str, request: bytes, host: Host) -> Ended:
        """Run one entry to its end.

        Args:
            function: ``start``, ``call``, or ``oracle`` in a fork.
            request: As ``layout.c`` lays it out.
            host: Answers what the guest asks.

        Raises:
            HostTimeoutError: It took far longer than its gas can.
            LocalProtocolError: This thread's stack is too small for the engine.
            Exception: What the host raised; the instance cannot be used after that.
        """
        outer = self._doors.lead_to(self)
        self._host, self._fault = host, None
        self.recorded, self._recorded_bytes = [], 0
        try:
            capi.set_deadline(self._context, self.wall_ticks)
            if not self._place(request):
                self._require_memory()
                return Ended(ENDED_NO_ROOM, 0)
            self._gas.set(self._gas_limit)
            if function not in self._enter:
                self._enter[function] = capi.bind(self._exports, function)
            how, trap = self._enter[function](len(request))
        finally:
            self._doors.lead_to(outer)
            self._host = None
        if self._fault is not None:
            raise self._fault
        left = self._gas.get()
        if trap is not None:
            return self._trapped(trap, left)
        # What ran after the last check is not more than one straight run of instructions.
        gas = min(self._gas_limit - left, self._gas_limit)
        text, text_size, stack, stack_size, exports, exports_size, _, _ = self._read_output()
        return Ended(
            how,
            gas,
            self._read(text, text_size),
            self._read(stack, min(stack_size, STACK_TEXT_BYTES_MAX)),
            self._read(exports, exports_size),
        )

    def image(self) -> Image:
        """Copy the guest's state: between two entries, or while it waits for its host."""
        size = self._memory_bytes()
        stack_pointer, base, start = self._stack_pointer.get(), self._base(), 0
        # Most of the stack was never used; comparing is cheaper than keeping it.
        while start < stack_pointer and ctypes.string_at(base + start, PAGE_BYTES) == ZEROS:
            start += PAGE_BYTES
        return Image(stack_pointer, start, ctypes.string_at(base + start, size - start))

    def sparse_image(self, new: Image) -> SparseImage:
        """Copy of the guest's state what differs from a new guest's. Only between two entries.

        Args:
            new: The image of a new guest.
        """
        size = self._memory_bytes()
        return SparseImage(self._stack_pointer.get(), size, differences(self._base(), size, new))

    def charge(self, gas: int) -> None:
        """Take gas for the host's work; see :class:`nodevms.sandbox.host.Meter`."""
        left = self._gas.get() - gas
        if gas < 0 or left < 0:
            raise OutOfGas
        self._gas.set(left)

    def answer(self, operation: int, pointer: int, length: int) -> int | None:
        """Answer the guest; see :class:`nodevms.sandbox.doors.Entered`. Nothing passes out."""
        try:
            request = self._read(pointer, length)
            if operation == Operation.CRYPTO:  # the same whenever it is asked: never recorded
                self._answer = answer_crypto(request, self.charge)
                return len(self._answer)
            self.charge(price(operation, length, self._memory_bytes))
            if self._host is None:
                raise EngineFaultError("the guest called the host outside an entry")
            before = self._gas.get()
            self._answer = self._host.call(operation, request, self)
            self._record(self._answer, before - self._gas.get())
            return len(self._answer)
        except OutOfGas:
            self._gas.set(-1)
        except BaseException as error:
            # It would be lost in the C frames above; enter() raises it again.
            self._fault = error
        return None

    def take(self, pointer: int) -> None:
        """Copy the answer into the guest's memory; see :class:`nodevms.sandbox.doors.Entered`."""
        answer, self._answer = self._answer, b""
        if pointer + len(answer) <= self._memory_bytes():
            ctypes.memmove(self._base() + pointer, answer, len(answer))

    def _record(self, answer: bytes, gas: int) -> None:
        """Keep an answer, unless it is one too many: a call may read gigabytes of files."""
        self._recorded_bytes += ANSWER_BYTES + len(answer)
        if self._recorded_bytes > RECORDED_BYTES_MAX:
            self.recorded = None
        elif self.recorded is not None:
            self.recorded.append((answer, gas))

    def _restore(self, image: Image | SparseImage) -> None:
        missing = image.size - self._memory_bytes()
        if missing > 0:
            capi.grow_memory(self._context, self._memory, missing // PAGE_BYTES)
        base = self._base()
        for at, piece in image.pieces:
            ctypes.memmove(base + at, piece, len(piece))
        self._stack_pointer.set(image.stack_pointer)

    def _place(self, request: bytes) -> bool:
        """Put a request where the guest reads it. False if there is no memory for it."""
        *_, at, capacity = self._read_output()
        if len(request) > capacity:
            self._gas.set(_UNMETERED)
            at, trap = self._reserve(len(request))
            at &= 0xFFFFFFFF
            if trap is not None or at == 0:
                return False
        ctypes.memmove(self._base() + at, request, len(request))
        return True

    def _trapped(self, trap: int, gas_left: int) -> Ended:
        if trap == _INTERRUPT:
            raise HostTimeoutError(
                f"a call ran for {self.wall_ticks // TICKS_PER_SECOND} seconds and was stopped",
                hint="The machine is far too slow or was suspended; the call is in no log.",
            )
        if trap == _NATIVE_STACK:  # how deep it goes is the processor's: the guest's ends first
            raise EngineFaultError("the engine's own stack was too small")
        if gas_left < 0:
            return Ended(TRAPPED_GAS, self._gas_limit)
        self._require_memory()
        return Ended(TRAPPED, self._gas_limit)

    def _require_memory(self) -> None:
        """Check that this machine would have given all the memory that the guest may have.

        The guest cannot tell its own limit from a machine that has no more; the latter is no
        outcome, since another machine has it.
        """
        missing = self._memory_max - self._memory_bytes()
        try:
            capi.grow_memory(self._context, self._memory, missing // PAGE_BYTES)
        except MemoryError:
            raise EngineFaultError(
                "this machine has not got the memory that a call may use",
                hint=f"Give this program {self._memory_max:,} bytes for it; the call is in no log.",
            ) from None

    def _read_output(self) -> tuple[int, ...]:
        return _OUTPUT.unpack(ctypes.string_at(self._base() + self._output, _OUTPUT.size))

    def _memory_bytes(self) -> int:
        return int(capi.memory_size(self._context, self._memory))

    def _base(self) -> int:
        return int(capi.memory_data(self._context, self._memory))

    def _read(self, pointer: int, length: int) -> bytes:
        if not length:
            return b""
        size = self._memory_bytes()
        if pointer + length > size:
            raise EngineFaultError("the guest named memory that it has not got")
        return ctypes.string_at(self._base() + pointer, length)


def _wall_ticks(limits: Limits) -> int:
    return (WALL_SECONDS_MIN + limits.gas // WALL_GAS_PER_SECOND) * TICKS_PER_SECOND
