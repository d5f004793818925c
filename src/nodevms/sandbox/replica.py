"""Copies of a sandbox at points where it was: for calls that leave nothing behind.

The copies are made beside the sandbox and without it: from its last snapshot and what ran since,
with the answers that its host gave. The journal's bounds are the bounds of what that costs. Where
the replica is already, a copy costs a new instance and the pages that are its own; where the
sandbox went on since, only what it ran since then is run again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nodevms.sandbox.engine import Engine
from nodevms.sandbox.host import Host
from nodevms.sandbox.image import SparseImage
from nodevms.sandbox.instance import Ended, Instance
from nodevms.sandbox.journal import Point, run_again
from nodevms.sandbox.limits import Limits
from nodevms.sandbox.outcome import Outcome
from nodevms.sandbox.request import call_request


class Fork:
    """A copy of a sandbox for one call; it belongs to one thread."""

    def __init__(self, instance: Instance, judge: Callable[[Ended], Outcome]) -> None:
        self._instance: Final = instance
        self._judge: Final = judge

    def call(
        self, method: str, arguments: bytes, *, caller: str | None, time_ms: int, host: Host
    ) -> Outcome:
        """Run one exported function to its end, as `Sandbox.call` would. Once in a fork's life.

        Raises:
            EngineFaultError: The engine failed, or ran far longer than its gas can take.
            Exception: What the host raised.
        """
        request = call_request(method, arguments, caller=caller, time_ms=time_ms)
        return self._judge(self._instance.enter("call", request, host))


class Replica:
    """Makes forks of one sandbox. Made by `Sandbox.replica`; used by one thread at a time.

    The thread must have a stack for the engine.
    """

    def __init__(self, engine: Engine, limits: Limits, judge: Callable[[Ended], Outcome]) -> None:
        self._engine = engine
        self._limits = limits
        self._judge = judge
        self._at: Point | None = None
        self._image: SparseImage | None = None
        self._new: Final = Instance(engine, limits).image()

    def fork(self, point: Point) -> Fork:
        """Return a copy of the sandbox as it was at a point.

        Raises:
            EngineFaultError: What ran before ended otherwise when it was run again.
            MemoryError: This machine has not got the memory.
        """
        self._image, self._at = self._image_of(point), point
        return Fork(Instance(self._engine, self._limits, self._image), self._judge)

    def _image_of(self, point: Point) -> SparseImage:
        begin: int = 0
        image: SparseImage | None = point.image
        if self._at is not None and self._image is not None and point.follows(self._at):
            if point.count == self._at.count:
                return self._image
            begin, image = self._at.count, self._image
        instance = Instance(self._engine, self._limits, image)
        run_again(instance, point.entries[begin : point.count])
        return instance.sparse_image(self._new)
