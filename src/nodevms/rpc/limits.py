"""The ceilings of the RPC server, in one place, each a constructor argument."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server accepts; the names end in their units.

    A connection's memory is bounded by ``frame_bytes_max`` on its way in and, on its way out, by
    ``outgoing_bytes_max`` plus one answer.

    Attributes:
        arguments_bytes_max: One call's arguments, as JSON text without insignificant whitespace.
        depth_max: Brackets inside each other in one call's arguments.
        batch_items_max: Requests in one batch.
        id_bytes_max: JSON text of a request's id.
        caller_bytes_max: A caller's name in UTF-8.
        envelope_bytes_max: What a message may have beyond its arguments.
        frame_bytes_max: A larger message is not read to its end; the connection closes with 1009.
        answer_bytes_max: The answers to one batch together.
        outgoing_bytes_max: Answers that a connection's reader has not taken yet.
        unread_bytes_max: What all connections together have not taken yet; beyond it those that
            leave most lying are cut off.
        stall_seconds: How long a reader may leave answers lying before it is cut off.
        heartbeat_seconds: A silent WebSocket is pinged this often and closed without a pong.
        body_seconds: How long an HTTP request may take to send its body.
        linger_seconds: How long a closing connection may take to read the reason.
        connections_max: TCP connections at one time.
    """

    arguments_bytes_max: int = MIB
    depth_max: int = 128
    batch_items_max: int = 1_000
    id_bytes_max: int = 256
    caller_bytes_max: int = 256
    envelope_bytes_max: int = 64 << 10
    frame_bytes_max: int = 16 * MIB
    answer_bytes_max: int = 16 * MIB
    outgoing_bytes_max: int = 32 * MIB
    unread_bytes_max: int = 512 * MIB
    stall_seconds: float = 30.0
    heartbeat_seconds: float = 30.0
    body_seconds: float = 60.0
    linger_seconds: float = 3.0
    connections_max: int = 1_000

    @property
    def message_bytes_max(self) -> int:
        """One message, batches included, in bytes."""
        return self.arguments_bytes_max + self.envelope_bytes_max
