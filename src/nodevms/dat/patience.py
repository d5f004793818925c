"""How long we wait for a peer: for its handshake, for any frame, for a slow one, to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodevms.errors import RemoteProtocolError

if TYPE_CHECKING:
    from nodevms.dat.limits import Limits
    from nodevms.dat.wire import Connection


class Patience:
    """Watches one connection, and sends keep-alives when we have been silent."""

    __slots__ = (
        "_began",
        "_connection",
        "_frame_began",
        "_heard",
        "_limits",
        "_sent",
        "_sent_bytes",
        "_taken",
    )

    def __init__(self, connection: Connection, limits: Limits, now: float) -> None:
        self._connection = connection
        self._limits = limits
        self._began = self._heard = self._sent = now
        self._frame_began: float | None = None
        self._sent_bytes = 0
        self._taken = (now, 0)

    def received(self, now: float) -> None:
        """Bytes came."""
        if self._frame_began is None:
            self._frame_began = now

    def heard(self, now: float) -> None:
        """A whole frame came."""
        self._heard = now
        self._frame_began = None

    def sent(self, size: int, now: float) -> None:
        """We said something."""
        self._sent = now
        self._sent_bytes += size

    def tick(self, now: float, unsent_bytes: int) -> None:
        """Let time pass.

        Raises:
            RemoteProtocolError: Patience is at its end (``dat-handshake-timeout``, ``dat-idle``,
                ``dat-slow``, ``dat-stalled``).
        """
        limits = self._limits
        late = now - self._began > limits.handshake_seconds
        if late and self._connection.remote_handshake is None:
            raise RemoteProtocolError(
                f"No handshake came in {limits.handshake_seconds:g} s.",
                code="dat-handshake-timeout",
            )
        if now - self._heard > limits.idle_seconds:
            self._check_progress(now)
        self._check_stall(now, unsent_bytes)
        if now - self._sent >= limits.keep_alive_seconds and not unsent_bytes:
            self._connection.keep_alive()

    def _check_progress(self, now: float) -> None:
        """Allow a large frame the time that it needs at the slowest speed that is allowed."""
        waiting = self._connection.buffered_bytes
        since = self._frame_began
        if not waiting or since is None:
            raise RemoteProtocolError(
                f"Nothing came in {self._limits.idle_seconds:g} s.", code="dat-idle"
            )
        if waiting < (now - since) * self._limits.frame_bytes_per_second:
            raise RemoteProtocolError("A frame comes too slowly.", code="dat-slow")

    def _check_stall(self, now: float, unsent_bytes: int) -> None:
        taken = self._sent_bytes - unsent_bytes
        if not unsent_bytes or taken > self._taken[1]:
            self._taken = now, taken
        elif now - self._taken[0] > self._limits.stall_seconds:
            raise RemoteProtocolError(
                f"It took nothing in {self._limits.stall_seconds:g} s.", code="dat-stalled"
            )
