"""The headers of what is served, above all those that keep a script's files from running.

The reasons, and what was rejected, are in ADR 0075.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Final

from nodevms.vm.dat_archive_values import DatArchiveInfo, FileStat

FILE_POLICY: Final = (
    "sandbox allow-same-origin allow-downloads; default-src 'none'; img-src 'self' data:; "
    "media-src 'self' data:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""The Content-Security-Policy of every file: it is seen, and runs nothing."""

_FOREVER: Final = "public, max-age=31536000, immutable"
_ASK_AGAIN: Final = "no-cache"
_LATEST_S: Final = 253_402_300_799
_EXPOSED: Final = "Content-Range, ETag, Nodevms-Files-Version, Nodevms-Log-Length"


def common_headers(policy: str, *, embeddable: bool) -> dict[str, str]:
    """Return what every answer below ``files/`` has.

    Args:
        policy: The Content-Security-Policy.
        embeddable: Whether pages of all other origins may show it.
    """
    return {
        "Access-Control-Expose-Headers": _EXPOSED,
        "Content-Security-Policy": policy,
        "Cross-Origin-Resource-Policy": "cross-origin" if embeddable else "same-origin",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept, Origin",
        "X-Content-Type-Options": "nosniff",
    }


def version_headers(shown: DatArchiveInfo, log_length: int | None) -> dict[str, str]:
    """Return the headers that say what is shown.

    Args:
        shown: The version.
        log_length: How many log entries lead to it; None for an older version.
    """
    headers = {"Nodevms-Files-Version": str(shown.version)}
    if log_length is not None:
        headers["Nodevms-Log-Length"] = str(log_length)
    return headers


def cache_control(*, pinned: bool, loopback: bool) -> str:
    """Return how long an answer may be used again.

    Args:
        pinned: Whether the URL names a version, so that it has one content for ever.
        loopback: Whether the URL's host is loopback: there, the same URL may be another backend's
            tomorrow, so it is never kept without asking.
    """
    return _FOREVER if pinned and not loopback else _ASK_AGAIN


def modified_seconds(stat: FileStat) -> int | None:
    """Return when something was put, for HTTP's dates; None if they cannot say it."""
    seconds = stat.mtime_ms // 1000
    return seconds if 0 < seconds <= _LATEST_S else None


def http_date(seconds: int) -> str:
    """Return a date as HTTP writes it."""
    return formatdate(seconds, usegmt=True)
