"""Whether a program or a person asks, by the ``Accept`` header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import re
from typing import Final

_RANGE: Final = re.compile(r"([^\s;,]+)((?:\s*;[^,]*)?)")
_QUALITY: Final = re.compile(r";\s*q=([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.ASCII | re.IGNORECASE)


def wants_json(accept: str | None) -> bool:
    """Tell whether JSON is named, and liked better than HTML. A ``*/*`` names nothing."""
    return _quality(accept, "application/json") > _quality(accept, "text/html")


def wants_html(accept: str | None) -> bool:
    """Tell whether HTML is named, and liked at least as much as JSON."""
    return _quality(accept, "text/html") > 0 and not wants_json(accept)


def _quality(accept: str | None, wanted: str) -> float:
    for kind, parameters in _RANGE.findall(accept or ""):
        if kind.lower() == wanted:
            found = _QUALITY.search(parameters)
            return float(found[1]) if found else 1.0
    return 0.0
