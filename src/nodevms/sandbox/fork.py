"""A fork: a copy of a guest that waits for its host, in which the function of an oracle runs.

What the fork does is no function of the log, and nothing of it stays: it has a memory and gas of
its own, is thrown away when the function ends, and what the guest pays for it is known before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from nodevms.sandbox import instance as guest
from nodevms.sandbox.engine import TICKS_PER_SECOND, Engine
from nodevms.sandbox.host import Host
from nodevms.sandbox.image import Image
from nodevms.sandbox.instance import Ended, HostTimeoutError, Instance
from nodevms.sandbox.limits import Limits
from nodevms.sandbox.outcome import limit_error


@dataclass(frozen=True, slots=True)
class Forked:
    """What the function of an oracle ended with.

    Attributes:
        result: The value's JSON text; None for ``undefined`` and after an error.
        error: The error's JSON text, as that of a call; None when nothing was thrown.
    """

    result: bytes | None
    error: bytes | None


def run_fork(engine: Engine, limits: Limits, image: Image, host: Host, seconds: float) -> Forked:
    """Run the function of the oracle that a guest waits for, in a copy of that guest.

    Args:
        engine: The guest's engine.
        limits: Its limits; gas and heap of the fork are limited as those of a call are.
        image: The guest, while it waits.
        host: Answers what the fork asks.
        seconds: How long it may run by the engine's clock, to half a second more.

    Raises:
        EngineFaultError: The engine failed.
        Exception: What the host raised.
    """
    if seconds <= 0:
        return _stopped("ERR_ORACLE_TIME", "The oracles of this call have no time left")
    try:
        fork = Instance(engine, limits, image, wall_ticks=math.ceil(seconds * TICKS_PER_SECOND) + 1)
    except MemoryError:
        return _stopped("ERR_MEMORY", "This computer has no memory for an oracle")
    try:
        ended = fork.enter("oracle", b"", host)
    except HostTimeoutError:
        return _stopped("ERR_ORACLE_TIME", "The oracle took longer than it may")
    return _judge(ended, limits)


def _judge(ended: Ended, limits: Limits) -> Forked:
    if ended.how == guest.ENDED_WITH_VALUE:
        return Forked(ended.text, None)
    if ended.how == guest.ENDED_WITH_NOTHING:
        return Forked(None, None)
    if ended.how == guest.ENDED_THROWN:
        return Forked(None, ended.text)
    if ended.how == guest.ENDED_NEVER_SETTLED:
        message = "The promise that the oracle returned never settles"
        return _stopped("ERR_NEVER_SETTLED", message)
    if ended.how == guest.TRAPPED_GAS:
        return _stopped("ERR_GAS", f"Out of gas: an oracle may use {limits.gas:,}")
    message = f"Out of memory or stack: an oracle may use {limits.memory_bytes:,} bytes"
    return _stopped("ERR_MEMORY", message)


def _stopped(code: str, message: str) -> Forked:
    return Forked(None, limit_error(code, message))
