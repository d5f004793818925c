"""What a call must be like to be accepted; nothing that is refused here is run or logged."""

from __future__ import annotations

from nodevms.json_text import compact, deeper_than
from nodevms.vm.entries import JSON_DEPTH_MAX
from nodevms.vm.errors import ArgumentsError


def check_arguments(arguments: bytes, bytes_max: int) -> bytes:
    """Return the text of the arguments as it is logged: without white space between tokens.

    Args:
        arguments: JSON array text.
        bytes_max: The most that they may have as they are logged.

    Raises:
        ArgumentsError: They are too large or nest too deeply.
    """
    arguments = compact(arguments)
    if len(arguments) > bytes_max:
        raise ArgumentsError(
            f"the arguments have {len(arguments):,} bytes; {bytes_max:,} are allowed"
        )
    if deeper_than(arguments, JSON_DEPTH_MAX):
        raise ArgumentsError(f"the arguments nest deeper than {JSON_DEPTH_MAX} levels")
    return arguments
