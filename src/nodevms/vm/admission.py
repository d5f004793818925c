"""What a call must be like to be accepted; nothing that is refused here is run or logged."""

from __future__ import annotations

import re
from typing import Final

from nodevms.json_text import compact, deeper_than
from nodevms.vm.entries import JSON_DEPTH_MAX
from nodevms.vm.errors import ArgumentsError, CallerError

CALLER_BYTES_MAX: Final = 256

_KEY_SHAPED: Final = re.compile(r"[0-9a-fA-F]{64}\Z")


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


def check_caller(caller: str, *, debug: bool) -> None:
    """Refuse a caller that the log could not hold.

    Raises:
        CallerError: Only a debug backend takes names, of 1 to 256 bytes of UTF-8, and none that
            looks like a key.
    """
    if not debug:
        raise CallerError("only a backend in debug mode takes the name of a caller")
    if _KEY_SHAPED.match(caller):
        raise CallerError("a name that looks like a key needs a signature, not debug mode")
    try:
        size = len(caller.encode())
    except UnicodeEncodeError:
        raise CallerError("a caller's name has no lone surrogates") from None
    if not 1 <= size <= CALLER_BYTES_MAX:
        raise CallerError(f"a caller's name has 1 to {CALLER_BYTES_MAX} bytes, not {size:,}")
