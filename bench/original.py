"""What everything is held against: nodevms 1.1.1 with libvms 2.0.2, unmodified, on Node 8.17.

Measured on a machine with 2 cores like the one that `docs/performance.md` describes, medians of 3
to 5 runs. The original never syncs: what it answered, a power cut may take.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One script with so many calls in flight."""

    calls_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


CALLS = {
    ("counter", 1): Row(1775, 0.50, 2.2, 0.41),
    ("counter", 32): Row(2863, 10.2, 25, 0.37),
    ("counter", 256): Row(2858, 87, 137, 0.37),
    ("persistent-counter", 1): Row(446, 1.95, 8.1, 1.92),
    ("persistent-counter", 32): Row(510, 57.7, 137, 1.77),
    ("persistent-counter", 256): Row(487, 487, 707, 1.83),
}
DISK_BYTES = {"counter": 249, "persistent-counter": 595}
REPLAY_S = {"counter": 5.2, "persistent-counter": 15.4}
"""Seconds to replay 10,000 calls in process."""
VERIFY_S = {"counter": 7.0, "persistent-counter": 21.6}
"""Seconds of the whole command for 10,000 calls."""
START_S = 0.42
RESIDENT_MIB = (72, 112)
"""After 10,000 calls: lowest and highest seen."""
