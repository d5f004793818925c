"""The names that callers may have: they say who they are, and only debug mode believes it."""

from __future__ import annotations

import re
from typing import Final

from nodevms.vm.errors import CallerError

CALLER_BYTES_MAX: Final = 256

_KEY_SHAPED: Final = re.compile(r"[0-9a-fA-F]{64}\Z")


def is_key_shaped(name: str) -> bool:
    """Tell whether a name looks like a public key, whose owner would have signed."""
    return _KEY_SHAPED.match(name) is not None


def check_caller(name: str, *, debug: bool) -> None:
    """Check a name that somebody else vouches for.

    Args:
        name: 1 to 256 bytes in UTF-8.
        debug: Whether the backend believes names.

    Raises:
        CallerError: The backend does not take it.
    """
    if not debug:
        raise CallerError("only a backend in debug mode takes the name of a caller")
    if is_key_shaped(name):
        raise CallerError("a name that looks like a key needs a signature, not debug mode")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise CallerError("a caller's name has no lone surrogates") from None
    if not 1 <= size <= CALLER_BYTES_MAX:
        raise CallerError(f"a caller's name has 1 to {CALLER_BYTES_MAX} bytes, not {size:,}")
