"""What ties a backend's three feeds together, as far as a copy has to know it while it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodevms.archive.messages import decode_index
from nodevms.archive.tree_node import TreeNode
from nodevms.audit.divergence import shorten
from nodevms.errors import CouldNotCheckError, ProvedFalseError, UsageError
from nodevms.feed import dat_url, parse_dat_url
from nodevms.vm.entries import Init, decode

if TYPE_CHECKING:
    from nodevms.feed import PartialFeed


class NotALogError(UsageError):
    """What was named as a call log is a drive."""

    code = "not-a-log"


def first_entry(block: bytes, key: bytes) -> Init:
    """Return the entry that a log begins with: it names the two feeds of the files.

    Args:
        block: The log's first.
        key: The log's public key.

    Raises:
        NotALogError: It is a drive's header.
        CouldNotCheckError: It is no log of a backend (``unknown-format``).
    """
    if _is_drive(block):
        raise NotALogError(
            f"{dat_url(key)} is a drive, and not a call log",
            hint="Type the other URL, that of the call log; exec and nodevms info print both.",
        )
    try:
        entry = decode(block)
        if not isinstance(entry, Init):
            raise ProvedFalseError("it is no init entry")
        parse_dat_url(entry.filesArchiveUrl)
        if len(bytes.fromhex(entry.contentKey)) != 32:
            raise ValueError("its contentKey is no key")
    except (ProvedFalseError, UsageError, ValueError) as error:
        raise CouldNotCheckError(
            f"the log begins with an entry of another program: {shorten(str(error))}",
            code="unknown-format",
            hint="Read it with nodevms log.",
        ) from error
    return entry


def _is_drive(block: bytes) -> bool:
    try:
        decode_index(block)
    except ProvedFalseError:
        return False
    return True


def reflected_length(metadata: PartialFeed) -> int:
    """Return the length of the log that the newest publication reflects, 0 if it does not say."""
    if metadata.length < 2 or not metadata.has(metadata.length - 1):
        return 0
    try:
        decode_index(metadata.get(0))
        last = metadata.length - 1
        return TreeNode.decode(last, metadata.get(last)).marker or 0
    except (ProvedFalseError, CouldNotCheckError):
        return 0  # the verifier says what is wrong with it
