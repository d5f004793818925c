"""Conditional and range requests, decided without I/O (RFC 9110, sections 13 and 14).

Where the standard leaves a choice:

- A ``Range`` that is malformed, has several ranges or another unit is ignored: 200.
- ``If-Range`` holds by ETag alone. A date does not identify a content here, because two calls may
  change a file within a second; so with one the whole is sent.
- ``Range`` means nothing to HEAD.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz
from typing import Final

from nodevms.rpc.ranges import UnsatisfiableRangeError, one_range

Header = Callable[[str], str | None]
"""Gives a request header's value, several lines joined by commas; None if there is none."""

_TAG: Final = re.compile(r'(W/)?"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Validators:
    """What identifies a representation.

    Attributes:
        etag: With its quotes, and ``W/`` if it is weak.
        modified_s: Last change in whole seconds since 1970; None if that is no date for HTTP.
    """

    etag: str
    modified_s: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What to answer.

    Attributes:
        status: 200, 206, 304, 412 or 416.
        start: The first byte to send.
        stop: The byte to stop before.
    """

    status: int
    start: int = 0
    stop: int = 0


def select(header: Header, validators: Validators, size: int, *, head: bool = False) -> Selection:
    """Decide what a GET or HEAD request gets.

    Args:
        header: The request's headers.
        validators: The representation's.
        size: Its bytes.
        head: Whether it is HEAD.
    """
    if not _preconditions_hold(header, validators):
        return Selection(412)
    if _is_known(header, validators):
        return Selection(304)
    whole = Selection(200, 0, size)
    wanted = header("Range")
    if wanted is None or head:
        return whole
    if_range = header("If-Range")
    if if_range is not None and (if_range.strip() != validators.etag or _is_weak(if_range)):
        return whole
    try:
        part = one_range(wanted.strip(), size)
    except UnsatisfiableRangeError:
        return Selection(416)
    return whole if part is None else Selection(206, part.start, part.stop)


def _preconditions_hold(header: Header, validators: Validators) -> bool:
    if_match = header("If-Match")
    if if_match is not None:
        return if_match.strip() == "*" or (
            not _is_weak(validators.etag) and ("", _opaque(validators.etag)) in _tags(if_match)
        )
    limit = _seconds(header("If-Unmodified-Since"))
    return limit is None or validators.modified_s is None or validators.modified_s <= limit


def _is_known(header: Header, validators: Validators) -> bool:
    if_none_match = header("If-None-Match")
    if if_none_match is not None:
        opaque = _opaque(validators.etag)
        return if_none_match.strip() == "*" or any(tag == opaque for _, tag in _tags(if_none_match))
    since, modified_s = _seconds(header("If-Modified-Since")), validators.modified_s
    return since is not None and modified_s is not None and modified_s <= since


def _tags(text: str) -> list[tuple[str, str]]:
    return [(weak, tag) for weak, tag in _TAG.findall(text)]


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _is_weak(etag: str) -> bool:
    return etag.strip().startswith("W/")


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        parsed = parsedate_tz(text)
        return None if parsed is None else int(mktime_tz(parsed))
    except (ValueError, OverflowError, TypeError):
        return None
