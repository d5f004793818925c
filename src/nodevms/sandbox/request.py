"""What a call sends into the guest: the layout of ``guest/shim/layout.c``."""

from __future__ import annotations

import struct
from typing import Final

_CALL: Final = struct.Struct("<qiI")


def call_request(method: str, arguments: bytes, *, caller: str | None, time_ms: int) -> bytes:
    """Return the bytes of one call.

    Args:
        method: The exported function.
        arguments: JSON array text in UTF-8.
        caller: What ``System.caller.id`` shows.
        time_ms: What ``Date`` shows, in milliseconds since 1970.
    """
    name = method.encode()
    who = None if caller is None else caller.encode()
    head = _CALL.pack(time_ms, -1 if who is None else len(who), len(name))
    return head + (who or b"") + name + arguments
