"""What a stranger may cost us. Each limit is on one connection unless its name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the swarm. The defaults suit a backend that strangers read.

    Attributes:
        connections_max: Of the whole swarm, both ways.
        connections_per_host_max: From one address.
        handshake_seconds: After this long without a handshake the connection ends.
        idle_seconds: After this long without a whole frame, keep-alives included.
        keep_alive_seconds: How long we send nothing before we send a keep-alive. Node's programs
            give up after 6 seconds of silence.
        stall_seconds: How long the other side may take none of what we send.
        frame_bytes_per_second: The slowest that a large frame may come in.
        small_frame_bytes: The longest frame of a peer that we download nothing from.
        buffered_bytes_max: Unfinished frames of all connections together.
        output_bytes: When so much waits to be sent, no more is read from disk.
        requests_max: Requests and Wants of one feed that wait for their answers.
        wants_burst: Wants about one feed that are answered at once.
        wants_per_second: How fast that allowance comes back.
        nonsense_burst: Requests for what we never said we have, and the like.
        nonsense_per_second: How fast that allowance comes back.
        bitmap_blocks: Blocks that one Have tells about; longer Wants get several.
        turn_events: Messages of one connection that are handled before others have their turn.
        finished_seconds: How long we wait for the other side to end when all is downloaded.
        targets_max: Addresses that the swarm remembers to connect to.
        tries_max: Tries in vain of an address that a discovery found.
        dials_max: Connections of the swarm that are being made at one time.
        dial_seconds: How long making one may take.
        retry_seconds_max: The longest pause between two tries of one address.
        growth_seconds: How often at most peers are told what is new in a feed.
    """

    connections_max: int = 128
    connections_per_host_max: int = 64
    handshake_seconds: float = 10.0
    idle_seconds: float = 20.0
    keep_alive_seconds: float = 2.0
    stall_seconds: float = 30.0
    frame_bytes_per_second: float = 1024.0
    small_frame_bytes: int = 256 * 1024
    buffered_bytes_max: int = 64 * 1024 * 1024
    output_bytes: int = 128 * 1024
    requests_max: int = 1024
    wants_burst: int = 256
    wants_per_second: float = 16.0
    nonsense_burst: int = 64
    nonsense_per_second: float = 1.0
    bitmap_blocks: int = 1 << 23
    turn_events: int = 256
    finished_seconds: float = 2.0
    targets_max: int = 1024
    tries_max: int = 4
    dials_max: int = 16
    dial_seconds: float = 10.0
    retry_seconds_max: float = 60.0
    growth_seconds: float = 0.02


class Allowance:
    """So many at once, and so many a second: a bucket that fills again."""

    __slots__ = ("_burst", "_left", "_per_second", "_since")

    def __init__(self, burst: int, per_second: float, now: float) -> None:
        """Begin with a full bucket at ``now`` (seconds of any clock that never goes back)."""
        self._burst = float(burst)
        self._per_second = per_second
        self._left = self._burst
        self._since = now

    def spend(self, now: float) -> bool:
        """Take one, and tell whether there was one."""
        filled = self._left + (now - self._since) * self._per_second
        self._left, self._since = min(self._burst, filled), now
        if self._left < 1:
            return False
        self._left -= 1
        return True
