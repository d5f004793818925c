"""What can go wrong with a backend as a whole."""

from __future__ import annotations

from nodevms.errors import NodeVMSError, StorageError, UsageError


class QueueFullError(NodeVMSError):
    """The call was not accepted: too many are waiting. It was neither run nor logged."""

    code = "queue-full"


class BackendClosedError(NodeVMSError):
    """The backend is stopping or stopped. The call was neither run nor logged."""

    code = "closed"


class OutcomeUnknownError(NodeVMSError):
    """Writing failed while the call was under way: it may or may not be in the log."""

    code = "outcome-unknown"


class UnknownMethodError(NodeVMSError):
    """The script exports no such method. Nothing was run or logged."""

    code = "unknown-method"


class ArgumentsError(NodeVMSError):
    """The arguments are no JSON array within the limits. Nothing was run or logged."""

    code = "arguments"


class CallerError(NodeVMSError):
    """The caller may not use this name. Nothing was run or logged."""

    code = "caller"


class ScriptError(UsageError):
    """The script is missing, unreadable, malformed, or failed while starting."""

    code = "script"


class DirectoryError(UsageError):
    """The directory cannot hold this backend: not ours, newer, of another script or setting."""

    code = "directory"


class LockedError(StorageError):
    """Another process has the backend's directory open."""

    code = "locked"
    exit_code = 2
