"""The clock and the randomness of this computer, where nobody gives others."""

from __future__ import annotations

import secrets
import time


def clock_ms() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def fresh_seed() -> str:
    """Return 16 random hex digits."""
    return secrets.token_hex(8)
