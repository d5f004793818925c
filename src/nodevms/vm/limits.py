"""The limits of a backend, as its start entries record them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from nodevms.errors import UsageError
from nodevms.sandbox import Limits as SandboxLimits
from nodevms.vm.numbers import Number

NAME_CHARACTERS_SHOWN: Final = 40
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """What one call may use. A replay runs with the limits of the log, not with its own.

    Attributes:
        gas: Instructions of the guest, host work included. The default ends every call that we
            know within five seconds on two shared cores of 2025, most within a tenth of that.
        memory_bytes: The JavaScript heap.
        stack_bytes: The JavaScript stack.
        args_bytes: The JSON text of the arguments.
        result_bytes: The JSON text of the result or error.
        console_bytes: What a call may print; the rest is dropped.
        timers: Timers that wait at the same time.
        written_bytes: Contents of all files that a call leaves changed.
        written_paths: Paths that a call leaves changed.
        archive_bytes: Sizes of all files together.
        archive_paths: Files and folders in all.
    """

    gas: Number = 1_000_000_000
    memory_bytes: Number = 64 * 1024 * 1024
    stack_bytes: Number = 1024 * 1024
    args_bytes: Number = 1024 * 1024
    result_bytes: Number = 1024 * 1024
    console_bytes: Number = 64 * 1024
    timers: Number = 5_000
    written_bytes: Number = 16 * 1024 * 1024
    written_paths: Number = 10_000
    archive_bytes: Number = 16 * 1024 * 1024 * 1024
    archive_paths: Number = 1_000_000

    def for_sandbox(self) -> SandboxLimits:
        """Return those that the guest itself enforces."""
        return SandboxLimits(
            gas=self.gas,
            memory_bytes=self.memory_bytes,
            stack_bytes=self.stack_bytes,
            result_bytes=self.result_bytes,
            console_bytes=self.console_bytes,
            timers=self.timers,
        )


CEILINGS = Limits(
    gas=100_000_000_000,
    memory_bytes=512 * 1024 * 1024,
    stack_bytes=1024 * 1024,
    args_bytes=2 * 1024 * 1024,
    result_bytes=2 * 1024 * 1024,
    console_bytes=16 * 1024 * 1024,
    timers=100_000,
    written_bytes=256 * 1024 * 1024,
    written_paths=10_000,
    archive_bytes=1024 * 1024 * 1024 * 1024,
    archive_paths=100_000_000,
)
"""What an auditor is willing to replay, and the most that a backend may be configured to."""


def parse_limits(settings: Iterable[str]) -> Limits:
    """Return the default limits with some replaced.

    Args:
        settings: Such as ``gas=5000000000``, by the names of :class:`Limits`.

    Raises:
        UsageError: A name is unknown or a value is no whole number.
    """
    values: dict[str, int] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in Limits.__struct_fields__:
            raise UsageError(
                f"there is no limit {name[:NAME_CHARACTERS_SHOWN]!r}",
                code="limits",
                hint="Limits are " + ", ".join(Limits.__struct_fields__) + ", as NAME=NUMBER.",
            )
        if not _WHOLE_NUMBER.fullmatch(value):
            raise UsageError(
                f"the limit {name} takes a whole number, as in {name}={getattr(Limits(), name)}",
                code="limits",
            )
        values[name] = int(value)
    return Limits(**values)


def beyond(limits: Limits, ceilings: Limits = CEILINGS) -> str | None:
    """Name the first limit that is not positive or above its ceiling; None when all fit."""
    for field in Limits.__struct_fields__:
        value, most = getattr(limits, field), getattr(ceilings, field)
        if not 1 <= value <= most:
            return f"{field} is {value:,}; allowed are 1 to {most:,}"
    return None
