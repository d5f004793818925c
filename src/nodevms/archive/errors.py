"""What can go wrong with a backend's files, as the script and as the host see it.

Errors below `FilesError` are part of host API 1: their `name` and their message reach the script,
are logged with a call that throws them, and must therefore be the same on every machine for ever.
"""

from __future__ import annotations

from typing import ClassVar

from nodevms.errors import NodeVMSError, ProvedFalseError


class FilesError(NodeVMSError):
    """A file operation was refused; the script sees an Error of this name and message.

    Attributes:
        name: The error's name in JavaScript, after the DatArchive API.
    """

    name: ClassVar[str] = "Error"
    code = "files"


class NotFoundError(FilesError):
    """There is nothing at the path."""

    name = "NotFoundError"
    code = "files-not-found"


class EntryAlreadyExistsError(FilesError):
    """Something is at the path that must not be replaced."""

    name = "EntryAlreadyExistsError"
    code = "files-entry-exists"


class ParentFolderDoesntExistError(FilesError):
    """The path's parent is missing, or is a file."""

    name = "ParentFolderDoesntExistError"
    code = "files-no-parent"


class NotAFolderError(FilesError):
    """The operation wants a folder and the path has a file."""

    name = "NotAFolderError"
    code = "files-not-a-folder"


class NotAFileError(FilesError):
    """The operation wants a file and the path has a folder."""

    name = "NotAFileError"
    code = "files-not-a-file"


class InvalidPathError(FilesError):
    """The path breaks the grammar of `nodevms.archive.paths`, or makes no sense here."""

    name = "InvalidPathError"
    code = "files-invalid-path"


class DestDirectoryNotEmpty(FilesError):  # noqa: N818 - the DatArchive API's name
    """The folder holds something."""

    name = "DestDirectoryNotEmpty"
    code = "files-folder-not-empty"


class ReadOnlyError(FilesError):
    """A read-only call asked for a change."""

    name = "ReadOnlyError"
    code = "files-read-only"


class BadArgumentError(FilesError):
    """An argument has the wrong type or range."""

    name = "TypeError"
    code = "files-bad-argument"


class MalformedRequestError(FilesError):
    """The bytes are no request of host API 1: the guest's memory was damaged, or its code is."""

    name = "TypeError"
    code = "files-malformed-request"


class ArchiveFullError(FilesError):
    """All files together would be more than the backend's limits allow; nothing was changed.

    Its ``code`` is the limit's, as the script sees it.
    """

    name = "QuotaExceededError"


class ListingTooLargeError(FilesError):
    """The names in a folder are more than an answer may hold, whatever the gas."""

    name = "QuotaExceededError"


class LimitExceededError(NodeVMSError):
    """One call changed more than the backend's limits allow; the whole call is undone.

    Its ``code`` is the limit's, as the script sees it and the log has it.
    """


class UnknownVersionError(NodeVMSError):
    """A version of the files was asked for that does not exist yet."""

    code = "files-unknown-version"


class InvalidChangesError(ProvedFalseError):
    """A log entry's changes cannot follow from the state before them."""

    code = "invalid-changes"


class ProofError(ProvedFalseError):
    """A state proof is malformed or does not lead to the root."""

    code = "state-proof"
