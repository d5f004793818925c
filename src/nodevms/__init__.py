"""NodeVMS: backend scripts that their users can audit.

The names here are those of LibVMS, in Python's manners. Each is imported when it is first used, so
that ``import nodevms`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nodevms.audit import (
        Divergence,
        DivergenceError,
        Expectations,
        Memory,
        Report,
        Verifier,
        default_state_folder,
        fetch,
    )
    from nodevms.errors import (
        CouldNotCheckError,
        NodeVMSError,
        ProvedFalseError,
        StorageError,
        UsageError,
    )
    from nodevms.rpc import (
        BackendInfo,
        BlockingRPCClient,
        CallOutcomeUnknownError,
        ConnectionFailedError,
        ReadOnlyAnswer,
        RemoteError,
        RPCClient,
        RPCServer,
    )
    from nodevms.vm import (
        VM,
        CallError,
        CallLog,
        DatArchive,
        DatArchiveInfo,
        EntryProof,
        FileStat,
        Limits,
    )

_PLACES = {
    "nodevms.audit": (
        "Divergence",
        "DivergenceError",
        "Expectations",
        "Memory",
        "Report",
        "Verifier",
        "default_state_folder",
        "fetch",
    ),
    "nodevms.errors": (
        "CouldNotCheckError",
        "NodeVMSError",
        "ProvedFalseError",
        "StorageError",
        "UsageError",
    ),
    "nodevms.rpc": (
        "BackendInfo",
        "BlockingRPCClient",
        "CallOutcomeUnknownError",
        "ConnectionFailedError",
        "RPCClient",
        "RPCServer",
        "ReadOnlyAnswer",
        "RemoteError",
    ),
    "nodevms.vm": (
        "VM",
        "CallError",
        "CallLog",
        "DatArchive",
        "DatArchiveInfo",
        "EntryProof",
        "FileStat",
        "Limits",
    ),
}
_MODULE_OF = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "VM",
    "BackendInfo",
    "BlockingRPCClient",
    "CallError",
    "CallLog",
    "CallOutcomeUnknownError",
    "ConnectionFailedError",
    "CouldNotCheckError",
    "DatArchive",
    "DatArchiveInfo",
    "Divergence",
    "DivergenceError",
    "EntryProof",
    "Expectations",
    "FileStat",
    "Limits",
    "Memory",
    "NodeVMSError",
    "ProvedFalseError",
    "RPCClient",
    "RPCServer",
    "ReadOnlyAnswer",
    "RemoteError",
    "Report",
    "StorageError",
    "UsageError",
    "Verifier",
    "default_state_folder",
    "fetch",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'nodevms' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
