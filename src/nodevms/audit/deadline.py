"""How long a whole audit may take: a hostile log must not keep its auditor busy for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nodevms.errors import CouldNotCheckError

SECONDS_MAX: Final = 24 * 3600.0


class Deadline:
    """A time at which work is given up.

    Args:
        seconds: From now on.
        monotonic: A clock in seconds.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, none below zero."""
        return max(self._end - self._monotonic(), 0.0)

    def check(self, doing: str) -> None:
        """Go on, if there is time.

        Raises:
            CouldNotCheckError: The time is over; code ``time``.
        """
        if self._monotonic() > self._end:
            raise self.over(doing)

    def over(self, doing: str) -> CouldNotCheckError:
        """Return the error for an audit that takes too long."""
        return CouldNotCheckError(
            f"it takes longer than {self._seconds:g} seconds (stopped while {doing})",
            code="time",
            hint="Give it more time with --max-time SECONDS.",
        )
