"""A request that is on its way to a peer, and what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Why(Enum):
    """What a request is for."""

    BLOCK = "a block below our head's length"
    EXTEND = "a longer head, with the next block if it is wanted"
    PROBE = "the peer's head, to be compared with ours"
    ACCUSE = "the full proof of a block that contradicted what we hold"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is on its way."""

    why: Why
    since: float
