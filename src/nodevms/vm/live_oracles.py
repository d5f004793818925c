"""Oracles of a live backend: the function runs in a fork, where clock and randomness are true."""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import UNSET, Raw, UnsetType

from nodevms.sandbox import Engine, Forked, Guest, Host, Operation, limit_error, run_fork
from nodevms.vm.entries import Oracle
from nodevms.vm.limits import Limits
from nodevms.vm.oracles import HOSTS_MAX, Asked, misfit
from nodevms.vm.system import clock_ms

ENTROPY_GAS: Final = 50_000
ENTROPY_BYTES_MAX: Final = 65_536
CLOCK_GAS: Final = 5_000
FETCH_GAS: Final = 1_000_000
FETCH_BYTE_GAS: Final = 10

_NO_HOSTS: Final = (
    b'{"error":{"message":"the operator allows no requests: see --allow-net of nodevms exec"}}'
)
_REFUSED: Final = b'{"err":{"name":"Error","message":"System.oracle cannot be used in an oracle"}}'


class Fetch(Protocol):
    """Makes HTTP requests; see :class:`nodevms.vm.fetching.Fetcher`."""

    def __call__(self, request: bytes, seconds: float, note: Callable[[str], bool], /) -> bytes:
        """Make one request and return the answer, or why there is none."""


@dataclass(frozen=True, slots=True)
class World:
    """What is outside of the log; by default, of this computer.

    Attributes:
        clock: Milliseconds since 1970.
        monotonic: Seconds, for time limits.
        entropy: So many random bytes.
        fetch: Makes HTTP requests; None if the operator allows no host.
    """

    clock: Callable[[], int] = clock_ms
    monotonic: Callable[[], float] = time.monotonic
    entropy: Callable[[int], bytes] = secrets.token_bytes
    fetch: Fetch | None = None


class LiveOracles:
    """The source of one call's oracles; see :class:`nodevms.vm.oracles.OracleSource`."""

    def __init__(self, engine: Engine, limits: Limits, world: World) -> None:
        self._engine = engine
        self._limits = limits.for_sandbox()
        self._world = world
        self._seconds_left: float = limits.oracle_seconds

    def __call__(self, asked: Asked) -> Oracle:
        """Run the function in a fork of the guest that waits."""
        end = self._world.monotonic() + self._seconds_left
        inside = _Inside(asked.inside, self._world, end)
        forked = run_fork(
            self._engine, self._limits, asked.guest.image(), inside, self._seconds_left
        )
        self._seconds_left = end - self._world.monotonic()
        problem = misfit(forked.error or forked.result or b"", asked.bytes_left)
        if problem is not None:
            forked = Forked(None, limit_error(*problem))
        return Oracle(
            source=asked.source,
            res=_raw(forked.result),
            err=_raw(forked.error),
            hosts=tuple(sorted(inside.hosts)) or UNSET,
        )


def _raw(text: bytes | None) -> Raw | UnsetType:
    return UNSET if text is None else Raw(text)


class _Inside:
    """Answers what a fork asks: the call's own host, and what only a fork may have."""

    def __init__(self, outer: Host, world: World, end: float) -> None:
        self._outer = outer
        self._world = world
        self._end = end
        self.hosts: set[str] = set()

    def call(self, operation: int, request: bytes, guest: Guest) -> bytes:
        if operation == Operation.CLOCK:
            guest.charge(CLOCK_GAS)
            return struct.pack("<q", self._world.clock())
        if operation == Operation.ENTROPY:
            count = min(int.from_bytes(request[:4], "little"), ENTROPY_BYTES_MAX)
            guest.charge(ENTROPY_GAS + count)
            return self._world.entropy(count)
        if operation == Operation.FETCH:
            guest.charge(FETCH_GAS + FETCH_BYTE_GAS * len(request))
            answer = self._fetch(request)
            guest.charge(FETCH_BYTE_GAS * len(answer))
            return answer
        if operation == Operation.ORACLE:
            return _REFUSED
        return self._outer.call(operation, request, guest)

    def _fetch(self, request: bytes) -> bytes:
        if self._world.fetch is None:
            return _NO_HOSTS
        seconds = max(0.0, self._end - self._world.monotonic())
        return self._world.fetch(request, seconds, self._note)

    def _note(self, host: str) -> bool:
        """Keep the name of a host for the entry; False if it has enough of them."""
        if host not in self.hosts and len(self.hosts) >= HOSTS_MAX:
            return False
        self.hosts.add(host)
        return True
