"""Requests that wait to be run: in order, and never more than memory may hold."""

from __future__ import annotations

from collections import deque
from typing import Final

from nodevms.vm.errors import QueueFullError
from nodevms.vm.requests import Request

QUEUE_BYTES_MAX: Final = 64 * 1024 * 1024
"""Arguments that may wait, whatever the number of calls: they are held in memory."""


class RequestQueue:
    """A queue of bounded length and size. Whoever owns it guards it by a lock of its own.

    Args:
        calls_max: How many requests may wait.
    """

    def __init__(self, calls_max: int) -> None:
        self._calls_max = calls_max
        self._requests: deque[Request] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, request: Request) -> None:
        """Put a request at the end.

        Raises:
            QueueFullError: Too many are waiting, or too large ones.
        """
        size = len(request.arguments)
        if len(self._requests) >= self._calls_max or self._bytes + size > QUEUE_BYTES_MAX:
            raise QueueFullError("Too many active requests. Try again in a few minutes.")
        self._requests.append(request)
        self._bytes += size

    def take(self) -> Request:
        """Take the first request out; there must be one."""
        request = self._requests.popleft()
        self._bytes -= len(request.arguments)
        return request

    def empty(self) -> list[Request]:
        """Take all requests out, in order."""
        waiting = list(self._requests)
        self._requests.clear()
        self._bytes = 0
        return waiting
