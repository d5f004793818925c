"""What the guest can ask of the host, and how that work is paid for."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from nodevms.sandbox.image import Image

SEED_GAS: Final = 10_000
CONSOLE_GAS: Final = 50_000
CONSOLE_BYTE_GAS: Final = 10
ORACLE_GAS: Final = 1_000_000
ORACLE_BYTE_GAS: Final = 10
"""A byte of the function's source text, which is hashed."""
ORACLE_MEMORY_GAS: Final = 2
"""A byte of the guest's memory, which is copied."""


NO_ORACLES: Final = b'{"err":{"name":"Error","message":"There are no oracles here"}}'
"""Answers an oracle where there is no backend."""


class Operation(IntEnum):
    """The operations of host API 1. The last three are asked in the fork of an oracle alone."""

    FILES = 1
    SEED = 2
    CONSOLE = 3
    ORACLE = 4
    CRYPTO = 5
    FETCH = 6
    ENTROPY = 7
    CLOCK = 8


def price(operation: int, request_bytes: int, memory_bytes: Callable[[], int]) -> int:
    """Return the gas of a request before its host sees it; files and crypto price themselves.

    Args:
        operation: An :class:`Operation`.
        request_bytes: The request's length.
        memory_bytes: Tells the size of the guest's memory.
    """
    if operation == Operation.SEED:
        return SEED_GAS
    if operation == Operation.CONSOLE:
        return CONSOLE_GAS + CONSOLE_BYTE_GAS * request_bytes
    if operation == Operation.ORACLE:
        return ORACLE_GAS + ORACLE_BYTE_GAS * request_bytes + ORACLE_MEMORY_GAS * memory_bytes()
    return 0


class OutOfGas(Exception):  # noqa: N818 - it stops a call and is no error of the host
    """The call has not enough gas left for the host's work; nothing was done."""


class Meter(Protocol):
    """Takes gas from the running call."""

    def charge(self, gas: int, /) -> None:
        """Take gas before the work that it pays for.

        Raises:
            OutOfGas: There is not enough left. Let it pass through.
        """


class Guest(Meter, Protocol):
    """The guest that asks, as its host sees it."""

    def image(self) -> Image:
        """Copy the guest's state as it is while it waits for the answer."""


class Host(Protocol):
    """Answers the guest's requests during one call."""

    def call(self, operation: int, request: bytes, guest: Guest, /) -> bytes:
        """Answer one request at once.

        Args:
            operation: An :class:`Operation` other than ``CRYPTO``, which a sandbox answers itself.
            request: For files, console and fetch JSON text in UTF-8, for files and fetch with data
                followed by a zero byte and the data; for an oracle the function's source text; for
                entropy the number of bytes as a little-endian u32; empty for a seed and the clock.
            guest: Takes gas for the work, and can be copied.

        Returns:
            For files and fetch JSON text, then a zero byte and data if there is any; 16 hex digits
            for a seed; nothing for the console; for an oracle ``{"res"?}`` or ``{"err"}``; the
            bytes of entropy; for the clock milliseconds since 1970 as a little-endian i64.

        Raises:
            OutOfGas: From the guest.
            Exception: The host failed; the sandbox cannot be used after that.
        """
