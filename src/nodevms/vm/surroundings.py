"""Where a running backend gets what it cannot compute, and whom it tells what it does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from nodevms.sandbox import Engine
from nodevms.vm.environment import ConsoleSink
from nodevms.vm.live_oracles import World
from nodevms.vm.reporter import Observer

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a backend gets what it cannot compute.

    Attributes:
        engine: The compiled guest.
        clock: Milliseconds since 1970.
        seeds: 16 fresh hex digits.
        console: Where the script's output goes, or None.
        shows: Whether what goes there at a level is read; what nobody reads is not made.
        observer: Is told of every call, failures included, of which the console then hears
            nothing; or None.
        stopwatch: Seconds, from any beginning.
        world: What oracles find outside.
    """

    engine: Engine
    clock: Clock
    seeds: Callable[[], str]
    console: ConsoleSink | None = None
    shows: Callable[[str], bool] = lambda _level: True
    observer: Observer | None = None
    stopwatch: Callable[[], float] = time.perf_counter
    world: World = field(default_factory=World)
