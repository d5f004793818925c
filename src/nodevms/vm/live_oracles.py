"""Oracles of a live backend: the function runs in a fork, where clock and randomness are true."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec import UNSET, Raw, UnsetType

from nodevms.sandbox import Engine, Forked, Guest, Host, Operation, limit_error, run_fork
from nodevms.vm.entries import Oracle
from nodevms.vm.limits import Limits
from nodevms.vm.oracles import Asked, misfit
from nodevms.vm.system import clock_ms

ENTROPY_GAS: Final = 50_000
ENTROPY_BYTES_MAX: Final = 65_536
CLOCK_GAS: Final = 5_000

_REFUSED: Final = b'{"err":{"name":"Error","message":"System.oracle cannot be used in an oracle"}}'


@dataclass(frozen=True, slots=True)
class World:
    """What is outside of the log; by default, of this computer.

    Attributes:
        clock: Milliseconds since 1970.
        monotonic: Seconds, for time limits.
        entropy: So many random bytes.
    """

    clock: Callable[[], int] = clock_ms
    monotonic: Callable[[], float] = time.monotonic
    entropy: Callable[[int], bytes] = secrets.token_bytes


class LiveOracles:
    """The source of one call's oracles; see :class:`nodevms.vm.oracles.OracleSource`."""

    def __init__(self, engine: Engine, limits: Limits, world: World) -> None:
        self._engine = engine
        self._limits = limits.for_sandbox()
        self._world = world
        self._seconds_left: float = limits.oracle_seconds

    def __call__(self, asked: Asked) -> Oracle:
        """Run the function in a fork of the guest that waits."""
        began = self._world.monotonic()
        inside = _Inside(asked.inside, self._world)
        forked = run_fork(
            self._engine, self._limits, asked.guest.image(), inside, self._seconds_left
        )
        self._seconds_left -= self._world.monotonic() - began
        problem = misfit(forked.error or forked.result or b"", asked.bytes_left)
        if problem is not None:
            forked = Forked(None, limit_error(*problem))
        return Oracle(source=asked.source, res=_raw(forked.result), err=_raw(forked.error))


def _raw(text: bytes | None) -> Raw | UnsetType:
    return UNSET if text is None else Raw(text)


class _Inside:
    """Answers what a fork asks: the call's own host, and what only a fork may have."""

    def __init__(self, outer: Host, world: World) -> None:
        self._outer = outer
        self._world = world

    def call(self, operation: int, request: bytes, guest: Guest) -> bytes:
        if operation == Operation.CLOCK:
            guest.charge(CLOCK_GAS)
            return struct.pack("<q", self._world.clock())
        if operation == Operation.ENTROPY:
            count = min(int.from_bytes(request[:4], "little"), ENTROPY_BYTES_MAX)
            guest.charge(ENTROPY_GAS + count)
            return self._world.entropy(count)
        if operation == Operation.ORACLE:
            return _REFUSED
        return self._outer.call(operation, request, guest)
