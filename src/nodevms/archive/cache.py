"""A bounded cache that forgets what was not used for long."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Cache(Generic[K, V]):
    """Keeps between half and all of `entries_max` most recently used entries.

    Two generations stand in for an exact order: whatever is used moves to the young one, and when
    that is half the limit, it becomes the old one and the old one goes. A hit then costs one
    dictionary look-up. Not thread-safe; the owner's lock covers it.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, entries_max: int) -> None:
        self._half = max(1, entries_max // 2)
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: K) -> V | None:
        """Return what is cached under the key, or None."""
        value = self._young.get(key)
        if value is None:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Cache a value; None cannot be told from absence."""
        if key not in self._young and len(self._young) >= self._half:
            self._old = self._young
            self._young = {}
        else:
            self._old.pop(key, None)
        self._young[key] = value

    def pop(self, key: K) -> None:
        """Forget one key."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._young = {}
        self._old = {}
