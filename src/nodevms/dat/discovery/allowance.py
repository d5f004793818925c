"""How much of our attention each sender gets: a token bucket for each, and few of them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_at: float


class Allowance:
    """Lets each sender be heard so many times a second on average, and all together too.

    Memory is bounded: the sender heard longest ago is forgotten when there are too many. Whoever
    makes up senders so as to be forgotten meets the limit on all together.

    Args:
        burst: How many times in a row one sender is heard.
        per_second: How fast one sender regains that.
        everyone: By which factor all senders together may exceed one.
        senders_max: How many senders are remembered.
    """

    def __init__(
        self, *, burst: int, per_second: float, everyone: int, senders_max: int = 256
    ) -> None:
        self._burst = burst
        self._per_second = per_second
        self._everyone_factor = everyone
        self._senders_max = senders_max
        self._senders: OrderedDict[str, _Bucket] = OrderedDict()
        self._everyone = _Bucket(burst * everyone, 0.0)

    def take(self, sender: str, now: float) -> bool:
        """Tell whether the sender may be heard once more, and if so count it.

        Args:
            sender: Any name of the sender.
            now: Seconds on a clock that never goes back.
        """
        bucket = self._senders.setdefault(sender, _Bucket(self._burst, now))
        self._senders.move_to_end(sender)
        if len(self._senders) > self._senders_max:
            self._senders.popitem(last=False)
        self._fill(bucket, now, 1)
        self._fill(self._everyone, now, self._everyone_factor)
        if bucket.left < 1 or self._everyone.left < 1:
            return False
        bucket.left -= 1
        self._everyone.left -= 1
        return True

    def _fill(self, bucket: _Bucket, now: float, factor: int) -> None:
        gained = max(0.0, now - bucket.filled_at) * self._per_second * factor
        bucket.left = min(self._burst * factor, bucket.left + gained)
        bucket.filled_at = now
