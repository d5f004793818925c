"""The stack that the engine needs of the thread that enters it.

Deep recursion in a script must meet the guest's own limit, an ordinary RangeError, before the
thread's native stack ends: that would end the process.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from nodevms.errors import LocalProtocolError

ENGINE_STACK_BYTES: Final = 256 * 1024 * 1024
"""The stack to give to a thread that enters the sandbox; it is used only in deep recursion."""

STACK_BYTES_MIN: Final = 128 * 1024 * 1024
"""What a thread must have, or entering the sandbox is refused."""


def require_stack() -> None:
    """Check that this thread's stack is deep enough, where the system tells its size.

    Raises:
        LocalProtocolError: It is smaller than ``STACK_BYTES_MIN``.
    """
    size = _stack_bytes()
    if size is not None and size < STACK_BYTES_MIN:
        raise LocalProtocolError(
            f"the sandbox was entered on a thread whose stack has {size:,} bytes",
            hint="Set threading.stack_size(ENGINE_STACK_BYTES) before the thread is started.",
        )


def _stack_bytes() -> int | None:
    """Return the size of this thread's stack, or None where no known function tells."""
    library = ctypes.CDLL(None)
    library.pthread_self.restype = ctypes.c_void_p
    thread = ctypes.c_void_p(library.pthread_self())
    if sys.platform == "darwin":
        library.pthread_get_stacksize_np.restype = ctypes.c_size_t
        return int(library.pthread_get_stacksize_np(thread))
    if sys.platform != "linux":
        return None
    attributes = ctypes.create_string_buffer(256)  # pthread_attr_t is smaller everywhere
    if library.pthread_getattr_np(thread, attributes) != 0:
        return None
    address, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
    library.pthread_attr_destroy(attributes)
    return size.value
