"""The addresses that a swarm connects to, again and again until there is nothing to do there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from nodevms.dat.link import Address, Link

if TYPE_CHECKING:
    from nodevms.dat.limits import Limits

logger = logging.getLogger("nodevms.dat")

_RETRY_SECONDS = 0.5
_OURSELVES_MAX = 64
_STEADY_SECONDS = 30.0
"""A connection that lasted as long as this was a good one: the next try follows soon."""


class Target:
    """One address, and the feeds that are wanted from there.

    Attributes:
        address: Where.
        lasting: It is tried for ever; one that a discovery found is found again if it is there.
        keys: Public keys of the feeds, the first of them first.
        link: The connection, when there is one.
        task: What keeps the connection.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self.lasting = False
        self.keys: dict[bytes, None] = {}
        self.link: Link | None = None
        self.task: asyncio.Task[None] | None = None


class Targets:
    """Keeps a connection with each of its addresses, with growing pauses where there is none."""

    def __init__(
        self,
        dial: Callable[[Address, tuple[bytes, ...]], Awaitable[Link | None]],
        *,
        needed: Callable[[bytes], bool],
        limits: Limits,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        """Begin with no address.

        Args:
            dial: Connects and opens these feeds; None when no connection may be made now.
            needed: Whether a feed with this key is shared and there is reason to connect for it.
            limits: How many, how often.
            clock: Seconds.
            random: Spreads the pauses.
        """
        self._dial = dial
        self._needed = needed
        self._limits = limits
        self._clock = clock
        self._random = random
        self._targets: dict[Address, Target] = {}
        self._ourselves: set[Address] = set()
        self._dialling = asyncio.Semaphore(limits.dials_max)

    def add(self, address: Address, key: bytes, *, lasting: bool) -> Target | None:
        """Connect to an address for a feed.

        Args:
            address: Where.
            key: The feed's public key.
            lasting: Try for ever; else give up after a few tries in vain.

        Returns:
            The target, or None when there are too many already or the address is our own.
        """
        if address in self._ourselves:
            return None
        target = self._targets.get(address)
        if target is None:
            if len(self._targets) >= self._limits.targets_max:
                return None
            target = self._targets[address] = Target(address)
        target.lasting = target.lasting or lasting
        target.keys.setdefault(key)
        if target.task is None:
            target.task = asyncio.get_running_loop().create_task(self._keep(target))
        return target

    def forget(self, key: bytes) -> None:
        """Connect nowhere any more for the feed with this key."""
        for target in tuple(self._targets.values()):
            target.keys.pop(key, None)
            if not target.keys:
                self._drop(target)

    async def stop(self) -> None:
        """End all tries; connections are for the swarm to end."""
        tasks = [target.task for target in self._targets.values() if target.task is not None]
        for target in tuple(self._targets.values()):
            self._drop(target)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self, target: Target) -> None:
        self._targets.pop(target.address, None)
        if target.task is not None and target.task is not asyncio.current_task():
            target.task.cancel()

    async def _keep(self, target: Target) -> None:
        try:
            pause, vain = _RETRY_SECONDS, 0
            while keys := tuple(key for key in target.keys if self._needed(key)):
                began = self._clock()
                link = await self._connect(target, keys)
                vain += 1
                if link is not None:
                    await link.closed.wait()
                    target.link = None
                    if link.error is not None and link.error.code == "dat-self":
                        self._remember_ourselves(target.address)
                        return
                    if link.error is not None:
                        pause = self._limits.retry_seconds_max
                    elif self._clock() - began > _STEADY_SECONDS:
                        pause, vain = _RETRY_SECONDS, 0
                if vain >= self._limits.tries_max and not target.lasting:
                    return
                spread = 1 + int.from_bytes(self._random(2), "big") / 65536
                await asyncio.sleep(pause * spread / 2)
                pause = min(pause * 2, self._limits.retry_seconds_max)
        finally:
            self._drop(target)

    def _remember_ourselves(self, address: Address) -> None:
        if len(self._ourselves) >= _OURSELVES_MAX:
            self._ourselves.clear()
        self._ourselves.add(address)

    async def _connect(self, target: Target, keys: tuple[bytes, ...]) -> Link | None:
        async with self._dialling:
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(self._limits.dial_seconds):
                    target.link = await self._dial(target.address, keys)
                return target.link
        logger.debug("Could not connect to %s.", target.address)
        return None
