"""What a copy of a backend from the network may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FETCH_BYTES_MAX: Final = 64 * 1024**3


@dataclass(frozen=True, slots=True)
class CopyLimits:
    """What a copy may cost.

    Attributes:
        bytes_max: Bytes of all feeds and their trees.
        find_seconds: How long it may take to find somebody who has the log.
        stall_seconds: How long nothing may come.
    """

    bytes_max: int = FETCH_BYTES_MAX
    find_seconds: float = 30.0
    stall_seconds: float = 60.0
