"""The Dat URLs that people type, and what to type instead of something else."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodevms.errors import CouldNotCheckError, UsageError

if TYPE_CHECKING:
    from nodevms.dat.clone import NotADriveError

DRIVE: Final = "Files:"
CALL_LOG: Final = "Call log:"
"""What stands before a URL where a backend's URLs are printed."""

SHOWN_CHARS_MAX: Final = 200
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_KEY_AND_MORE: Final = re.compile(r"(dat://[0-9a-fA-F]{64})[/+].+", re.DOTALL)
_DIGITS: Final = re.compile(r"dat://([0-9a-fA-F]*)/?")
_NAME: Final = re.compile(r"dat://((?:[0-9A-Za-z-]{1,63}\.)*[0-9A-Za-z-]{1,63})(?:[/:].*)?")


def dat_key(text: str, label: str, command: str) -> bytes:
    """Return the 32-byte key of a Dat URL that somebody typed.

    Args:
        text: What was typed.
        label: `DRIVE` or `CALL_LOG`: what is wanted.
        command: What is typed before the URL, such as ``clone``.

    Raises:
        UsageError: It is no Dat URL; the hint says what to type.
    """
    from nodevms.feed import parse_dat_url

    try:
        return parse_dat_url(text)
    except UsageError as error:
        if len(text) <= SHOWN_CHARS_MAX:
            error.hint = _instead(text, label, command) or error.hint
        raise


def is_bare_key(text: str) -> bool:
    """Tell a key that was typed without ``dat://``."""
    return _KEY.fullmatch(text) is not None


def say_what_it_is(error: NotADriveError) -> None:
    """Name the files of a backend whose call log was taken for a drive, as the error's hint."""
    from nodevms.audit.feed_ties import first_entry

    try:
        files = first_entry(error.block, b"").filesArchiveUrl
    except CouldNotCheckError:
        return
    error.hint = f"It is a backend's call log. Its files: nodevms clone {files}"


def _instead(text: str, label: str, command: str) -> str | None:
    """Return what to type, or None where nothing is known of it."""
    if is_bare_key(text):
        return f"Type nodevms {command} dat://{text}"
    if (found := _KEY_AND_MORE.fullmatch(text)) is not None:
        return f"Type nodevms {command} {found[1]}, without what follows the key."
    if (found := _DIGITS.fullmatch(text)) is not None:
        return f"A key has 64 hex digits, and this one has {len(found[1])}."
    if (found := _NAME.fullmatch(text)) is not None:
        return (
            "Names are not looked up here. Type the key, dat:// followed by 64 hex digits; "
            f"https://{found[1]}/.well-known/dat may tell it."
        )
    if not text.startswith("dat:") and (":" in text or _is_there(text)):
        return (
            f"Type the URL that nodevms info {shlex.quote(text)} prints behind {label} "
            f"after nodevms {command}."
        )
    return None


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False
