"""What a URL below ``files/`` asks for. Nothing here does I/O.

Each file has one spelling: the path's components, percent-encoded UTF-8, between single slashes;
a folder's ends with a slash. What is spelled otherwise is refused and not repaired, so that no two
URLs are one file to us and two to a cache. (Percent-encoding may be used where it need not be.)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, cast
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from nodevms.archive import InvalidPathError, canonical_path
from nodevms.archive.paths import ROOT
from nodevms.errors import NodeVMSError

PAGE_ENTRIES_MAX: Final = 1_000
_QUERY_FIELDS_MAX: Final = 32
_KNOWN: Final = ("version", "format", "after", "limit")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")

Format = Literal["html", "json"]


class MalformedAddressError(NodeVMSError):
    """The URL's path or query is none that can be here; answered with 400."""

    code = "files-malformed-url"


@dataclass(frozen=True, slots=True)
class Address:
    """One thing to look at.

    Attributes:
        path: Canonical path.
        as_folder: Whether the URL ends with a slash.
        version: The filesVersion asked for; None for the newest.
        format: How to show a folder, if the URL says it.
        after: The name after which a folder's listing goes on; empty to begin.
        limit: How many names of a folder are wanted at most.
    """

    path: str
    as_folder: bool
    version: int | None = None
    format: Format | None = None
    after: str = ""
    limit: int = PAGE_ENTRIES_MAX

    @property
    def name(self) -> str:
        """The path's last component; empty for the root."""
        return self.path.rpartition("/")[2]

    def query(self, *, after: str = "", format: Format | None = None) -> str:
        """Return the query of a URL that stays at this version; empty, or with its ``?``."""
        fields = [
            ("version", "" if self.version is None else str(self.version)),
            ("format", format or ""),
            ("after", after),
            ("limit", str(self.limit) if after and self.limit != PAGE_ENTRIES_MAX else ""),
        ]
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields if value)
        return f"?{text}" if text else ""

    @property
    def to_root(self) -> str:
        """The relative URL of the root folder."""
        above = 0 if self.path == ROOT else self.path.count("/") - (not self.as_folder)
        return "../" * above or "./"


def parse_address(path: str, query: str) -> Address:
    """Read a URL.

    Args:
        path: What follows ``files/``, as it came: percent-encoded.
        query: What follows the question mark, as it came.

    Raises:
        MalformedAddressError: A sentence that says what is wrong.
    """
    fields = _fields(query)
    return Address(
        path=_canonical(path),
        as_folder=path == "" or path.endswith("/"),
        version=_number("version", fields.get("version")),
        format=_format(fields.get("format")),
        after=_name(fields.get("after", "")),
        limit=_limit(fields.get("limit")),
    )


def link(name: str, *, is_folder: bool) -> str:
    """Return the relative URL of a name in the folder that is shown."""
    return quote(name, safe="") + ("/" if is_folder else "")


def _canonical(text: str) -> str:
    if _BAD_PERCENT.search(text):
        raise MalformedAddressError("A percent sign is followed by two hexadecimal digits.")
    components = []
    for component in text.removesuffix("/").split("/") if text else ():
        try:
            name = unquote_to_bytes(component).decode()
        except UnicodeError:
            raise MalformedAddressError("The path is not UTF-8.") from None
        if name in ("", ".") or "/" in name:
            raise MalformedAddressError(
                "Each name in a path is between single slashes, is not empty or '.', and has none."
            )
        components.append(name)
    path = ROOT + "/".join(components)
    try:
        return canonical_path(path)
    except InvalidPathError as error:
        raise MalformedAddressError(f"That is no path: {error}.") from None


def _fields(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS_MAX
        )
    except ValueError:
        raise MalformedAddressError("The query has too many fields or is not UTF-8.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields and name in _KNOWN:
            raise MalformedAddressError(f"{name} is in the query twice.")
        fields[name] = value
    return fields


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise MalformedAddressError(f"{name} is a whole number, such as {name}=12.")
    return int(text)


def _limit(text: str | None) -> int:
    limit = _number("limit", text)
    if limit is None:
        return PAGE_ENTRIES_MAX
    if not 1 <= limit <= PAGE_ENTRIES_MAX:
        raise MalformedAddressError(f"limit is a number from 1 to {PAGE_ENTRIES_MAX}.")
    return limit


def _format(text: str | None) -> Format | None:
    if text not in (None, "html", "json"):
        raise MalformedAddressError("format is html or json.")
    return cast("Format | None", text)


def _name(text: str) -> str:
    try:
        if text and canonical_path(text) != f"/{text}":
            raise MalformedAddressError("after is a name in the folder.")
    except InvalidPathError:
        raise MalformedAddressError("after is a name in the folder.") from None
    return text
