"""Whether output has colours, beside what each stream's being a terminal says."""

from __future__ import annotations

from collections.abc import Mapping


def colour_wish(environ: Mapping[str, str]) -> bool | None:
    """Return what the environment asks for; None to colour terminals and nothing else.

    Follows https://no-color.org, which goes first, then ``FORCE_COLOR`` and ``CLICOLOR_FORCE``,
    then ``CLICOLOR=0`` and terminals that cannot colour.
    """
    if environ.get("NO_COLOR"):
        return False
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        if environ.get(name, "0").lower() not in ("", "0", "false"):
            return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return None
