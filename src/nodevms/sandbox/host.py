"""What the guest can ask of the host, and how that work is paid for."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Protocol

SEED_GAS: Final = 10_000
CONSOLE_GAS: Final = 50_000
CONSOLE_BYTE_GAS: Final = 10


class Operation(IntEnum):
    """The operations of host API 1."""

    FILES = 1
    SEED = 2
    CONSOLE = 3
    CRYPTO = 5


class OutOfGas(Exception):  # noqa: N818 - it stops a call and is no error of the host
    """The call has not enough gas left for the host's work; nothing was done."""


class Meter(Protocol):
    """Takes gas from the running call."""

    def charge(self, gas: int, /) -> None:
        """Take gas before the work that it pays for.

        Raises:
            OutOfGas: There is not enough left. Let it pass through.
        """


class Host(Protocol):
    """Answers the guest's requests during one call."""

    def call(self, operation: int, request: bytes, meter: Meter, /) -> bytes:
        """Answer one request at once.

        Args:
            operation: An :class:`Operation` other than ``CRYPTO``, which a sandbox answers itself.
            request: For files and console JSON text in UTF-8, for files with data followed by a
                zero byte and the data; empty for a seed.
            meter: Takes gas for the work.

        Returns:
            For files JSON text, then a zero byte and data if there is any; 16 hex digits for a
            seed; nothing for the console.

        Raises:
            OutOfGas: From the meter.
            Exception: The host failed; the sandbox cannot be used after that.
        """
