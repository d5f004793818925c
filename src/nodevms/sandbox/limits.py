"""What a guest may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that the guest and its host enforce for each call.

    Attributes:
        gas: Instructions, host work included.
        memory_bytes: The JavaScript heap. Going over it stops the call, as running out of gas does.
        stack_bytes: The JavaScript stack. Beyond it is a RangeError that the script may catch.
        result_bytes: The JSON text of the result or error.
        console_bytes: What a call may print; the rest is dropped.
        timers: Timers that may wait at the same time.
    """

    gas: int = 1_000_000_000
    memory_bytes: int = 64 * 1024 * 1024
    stack_bytes: int = 1024 * 1024
    result_bytes: int = 1024 * 1024
    console_bytes: int = 64 * 1024
    timers: int = 5_000
